use std::sync::atomic::Ordering;

use bytes::Bytes;
use slight_capabilities::{Bucket, ErrorKind, parse_counter};

use super::{Scope, keys_of, value_of};
use crate::{
    check::{Outcome, done_or, equal, require},
    content::pattern,
    names,
    race::{Meanwhile, until_wait},
};

/// Calls are dropped when they wait for the first time, the second, and so on to this.
const WAITS: usize = 8;

/// Larger than what is sent at once.
const SIZE: usize = 100_000;

/// Of a batch.
const MANY: usize = 20;

/// Requires that a value is there whole, or not at all.
async fn whole_or_absent(bucket: &dyn Bucket, key: &str, whole: &Bytes) -> Outcome {
    let found = value_of(bucket, key).await?;
    let holds = found.as_ref().is_none_or(|found| found == whole);
    let size = found.as_ref().map_or(0, Bytes::len);
    require(holds, format_args!("{key:?}: expected its value whole or no entry, found {size} other bytes"))
}

pub(super) async fn a_dropped_call_is_done_or_not_done(scope: &Scope) -> Outcome {
    let (bucket, value) = (scope.bucket().await?, pattern(1, SIZE));
    let neighbour = bucket.clone();
    let meanwhile = Meanwhile::start(|over| async move {
        let mut sum = 0;
        while !over.load(Ordering::SeqCst) {
            sum += 1;
            equal("the sum of a counter whose calls nobody drops", neighbour.increment("kept", 1).await?, sum)?;
            tokio::task::yield_now().await;
        }
        Ok(sum)
    });
    let (mut least, mut most) = (0, 0);
    for wait in 1..=WAITS {
        bucket.set(&format!("deleted/{wait}"), value.clone()).await?;
        until_wait(wait, bucket.set(&format!("set/{wait}"), value.clone())).await.transpose()?;
        let created = until_wait(wait, bucket.swap(&format!("created/{wait}"), None, value.clone())).await;
        created.map(|created| done_or("a creation", created, ErrorKind::Conflict)).transpose()?;
        let counted = until_wait(wait, bucket.increment("counter", 1)).await.transpose()?;
        (least, most) = (least + i64::from(counted.is_some()), most + 1);
        until_wait(wait, bucket.delete(&format!("deleted/{wait}"))).await.transpose()?;
        let batch = (0..MANY).map(|number| (format!("batch/{wait}/{number}"), value.slice(..1000)));
        let names: Vec<_> = batch.clone().map(|(name, _)| name).collect();
        until_wait(wait, bucket.set_many(batch.collect())).await.transpose()?;
        until_wait(wait, bucket.get(&format!("set/{wait}"))).await.transpose()?;
        until_wait(wait, bucket.get_many(&names)).await.transpose()?;
        until_wait(wait, bucket.exists("counter")).await.transpose()?;
        until_wait(wait, bucket.keys(None)).await.transpose()?;
        until_wait(wait, bucket.delete_many(&names)).await.transpose()?;
        until_wait(wait, scope.open(&names::unique().as_str().into())).await.transpose()?;
    }
    let kept = meanwhile.stop().await?;
    equal("the counter whose calls nobody drops", bucket.increment("kept", 0).await?, kept)?;
    let counter = value_of(&*bucket, "counter").await?.and_then(|value| parse_counter(&value)).unwrap_or_default();
    let fits = (least..=most).contains(&counter);
    require(fits, format_args!("expected {least} to {most} increments of the dropped ones, found {counter}"))?;
    for wait in 1..=WAITS {
        for key in ["deleted", "set", "created"] {
            whole_or_absent(&*bucket, &format!("{key}/{wait}"), &value).await?;
        }
        for number in 0..MANY {
            whole_or_absent(&*bucket, &format!("batch/{wait}/{number}"), &value.slice(..1000)).await?;
        }
    }
    // All goes on.
    bucket.swap("after", None, "1".into()).await?;
    equal("a counter afterwards", bucket.increment("after", 1).await?, 2)?;
    let keys = keys_of(&*bucket).await?;
    require(keys.iter().any(|key| key == "after"), "expected what is set afterwards to be listed, found it missing")
}
