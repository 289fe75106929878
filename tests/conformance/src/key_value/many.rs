use bytes::Bytes;
use slight_capabilities::Cursor;

use super::Scope;
use crate::{
    check::{Failure, Outcome, equal, require},
    listing::is_not_too_large,
};

const KEYS: usize = 100_000;

/// What every key begins with; a number follows.
const PREFIX: &str = "key/";

/// How many are set with one call.
const AT_A_TIME: usize = 10_000;

pub(super) async fn a_hundred_thousand_keys_are_listed_completely(scope: &Scope) -> Outcome {
    let bucket = scope.bucket().await?;
    for first in (0..KEYS).step_by(AT_A_TIME) {
        let numbers = first..KEYS.min(first + AT_A_TIME);
        let entries = numbers.map(|number| (key(number), Bytes::from_static(b"1")));
        bucket.set_many(entries.collect()).await?;
    }
    let (mut listed, mut next) = (vec![false; KEYS], None::<Cursor>);
    loop {
        let page = bucket.keys(next.as_ref()).await?;
        is_not_too_large(&page)?;
        for name in page.items {
            let number = name.strip_prefix(PREFIX).and_then(|number| number.parse::<usize>().ok());
            let listed = number.and_then(|number| listed.get_mut(number));
            let listed = listed.ok_or_else(|| Failure::new(format!("expected keys that were set, found {name:?}")))?;
            require(!*listed, format_args!("expected each key once, found {name:?} again"))?;
            *listed = true;
        }
        next = page.next;
        if next.is_none() {
            break;
        }
    }
    equal("how many keys are missing", listed.iter().filter(|listed| !**listed).count(), 0)
}

fn key(number: usize) -> String {
    format!("{PREFIX}{number}")
}
