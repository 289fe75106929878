use std::sync::Arc;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::{keys::GroupKeys, scripts};
use crate::link::Link;

/// How many deliveries are counted in one round trip at most.
const BATCH: usize = 256;

/// Where a member says what was taken from it.
#[derive(Clone)]
pub(super) struct Counting(UnboundedSender<Taken>);

/// A delivery that somebody has.
struct Taken {
    keys: Arc<GroupKeys>,
    id: String,
    token: String,
    count: u32,
}

impl Counting {
    /// A task that tells the server at once, while nobody waits for it. What was ended or begun anew meanwhile has been
    /// counted by that.
    pub(super) fn start(link: Link) -> Self {
        let (taken, told) = unbounded_channel();
        tokio::spawn(count(link, told));
        Self(taken)
    }

    pub(super) fn taken(&self, keys: &Arc<GroupKeys>, id: &str, token: &str, count: u32) {
        // It ends after the last of these.
        let _ = self.0.send(Taken { keys: keys.clone(), id: id.to_owned(), token: token.to_owned(), count });
    }
}

async fn count(link: Link, mut told: UnboundedReceiver<Taken>) {
    let mut taken = Vec::new();
    while told.recv_many(&mut taken, BATCH).await > 0 {
        for of_one_group in taken.chunk_by(|one, next| Arc::ptr_eq(&one.keys, &next.keys)) {
            let Some(first) = of_one_group.first() else { continue };
            let counts = of_one_group.iter().map(|one| one.count.to_string()).collect::<Vec<_>>();
            let triples = of_one_group.iter().zip(&counts);
            let arguments: Vec<_> =
                triples.flat_map(|(one, count)| [one.id.as_str(), one.token.as_str(), count.as_str()]).collect();
            // Where this fails the server is away: what extends or ends the delivery counts it as well.
            let _ = first.keys.run::<()>(&link, &scripts::COUNT, &arguments).await;
        }
        taken.clear();
    }
}
