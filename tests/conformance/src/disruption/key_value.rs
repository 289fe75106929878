use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use slight_capabilities::{Bucket, Error, KeyValue, QualifiedName, Result};
use tokio::task::JoinHandle;

use super::{
    Trial, When,
    observed::{Errors, Observed, lost_no_more, whole_again},
};
use crate::check::{Failure, Outcome, require};

/// Entries that are there before.
const BEFORE: usize = 20;

pub(super) async fn try_on<B: Send + Sync>(trial: &Trial<'_, B>) -> Outcome<Observed> {
    let key_value = trial.stage.provider.key_value();
    let store = key_value.ok_or_else(|| Failure::new("expected a provider of key-value, found none"))?;
    let (bucket, neighbour) = (store.open(&trial.names.name).await?, store.open(&trial.names.neighbour).await?);
    for number in 0..BEFORE {
        bucket.set(&format!("before/{number}"), "kept".into()).await?;
    }
    neighbour.set("kept", "kept".into()).await?;
    let errors = Arc::new(Errors::default());
    let load = (trial.when == When::UnderLoad).then(|| Load::start(bucket.clone(), errors.clone()));

    trial.disrupt().await?;
    if trial.row.undo.is_some() {
        errors.note(&round(&*store, &trial.names.name, usize::MAX).await);
        let beside = round(&*store, &trial.names.neighbour, 0).await;
        if !trial.row.everywhere {
            beside.map_err(|error| Failure::from(error).within("the neighbour, before it was undone"))?;
        }
        trial.undo().await?;
    }
    let mut number = 0;
    let whole_after = whole_again(3, || {
        number += 1;
        let (store, errors) = (&store, &errors);
        async move {
            let done = round(&**store, &trial.names.name, number).await;
            errors.note(&done);
            done
        }
    })
    .await?;
    // What is acknowledged from here on is kept.
    let written = match load {
        None => 0..0,
        Some(load) => load.end().await?,
    };
    for number in written {
        let value = bucket.get(&format!("load/{number}")).await?;
        require(value.is_some(), format_args!("expected the entry load/{number}, acknowledged later, found none"))?;
    }
    let neighbours = neighbour.get("kept").await?.is_some();
    require(neighbours || trial.row.everywhere, "expected the neighbour's entry, found none")?;
    let mut gone = 0;
    for number in 0..BEFORE {
        gone += usize::from(bucket.get(&format!("before/{number}")).await?.is_none());
    }
    lost_no_more(trial.row, "entries", (gone, BEFORE))?;
    Ok(Observed { errors: errors.all(), whole_after, lost: (gone, BEFORE) })
}

/// All that a bucket is for, on keys of this round's own.
async fn round(store: &dyn KeyValue, name: &QualifiedName, number: usize) -> Result<()> {
    let bucket = store.open(name).await?;
    let (key, counter) = (format!("round/{number}"), format!("counter/{number}"));
    bucket.set(&key, "set".into()).await?;
    let entry = bucket.get(&key).await?.ok_or_else(|| wrong("the entry that was set is not there"))?;
    bucket.swap(&key, Some(&entry.version), "swapped".into()).await?;
    let swapped = bucket.get(&key).await?.map(|entry| entry.value);
    expect(swapped.as_deref() == Some(b"swapped"), "the entry that was swapped is not there")?;
    expect(bucket.increment(&counter, 1).await? == 1, "a new counter did not begin at zero")?;
    expect(lists(&*bucket, &key).await?, "the entry that was set is not listed")?;
    bucket.delete_many(&[key.clone(), counter]).await?;
    expect(!bucket.exists(&key).await?, "the entry that was deleted is there")
}

async fn lists(bucket: &dyn Bucket, key: &str) -> Result<bool> {
    let mut cursor = None;
    loop {
        let page = bucket.keys(cursor.as_ref()).await?;
        if page.items.iter().any(|item| item == key) {
            return Ok(true);
        }
        match page.next {
            None => return Ok(false),
            next => cursor = next,
        }
    }
}

fn expect(holds: bool, sentence: &str) -> Result<()> {
    if holds { Ok(()) } else { Err(wrong(sentence)) }
}

fn wrong(sentence: &str) -> Error {
    Error::other(sentence)
}

/// A writer that goes on all the while.
struct Load {
    next: Arc<AtomicUsize>,
    over: Arc<AtomicBool>,
    writing: JoinHandle<()>,
}

impl Load {
    fn start(bucket: Arc<dyn Bucket>, errors: Arc<Errors>) -> Self {
        let (next, over) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (number, ended) = (next.clone(), over.clone());
        let writing = tokio::spawn(async move {
            while !ended.load(Ordering::SeqCst) {
                let set = bucket.set(&format!("load/{}", number.load(Ordering::SeqCst)), "loaded".into()).await;
                if errors.note(&set) {
                    number.fetch_add(1, Ordering::SeqCst);
                } else {
                    tokio::task::yield_now().await;
                }
            }
        });
        Self { next, over, writing }
    }

    /// Ends it, a few writes from now; the numbers of these, which were acknowledged.
    async fn end(self) -> Outcome<std::ops::Range<usize>> {
        let from = self.next.load(Ordering::SeqCst) + 1;
        let reached = async {
            while self.next.load(Ordering::SeqCst) < from + 10 {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        };
        let reached = tokio::time::timeout(super::BOUND, reached).await;
        self.over.store(true, Ordering::SeqCst);
        let ended = self.writing.await;
        reached.map_err(|_| Failure::new("expected the load to go on, found no write that succeeded"))?;
        ended.map_err(|panic| Failure::new(format!("expected no panic, found {panic}")))?;
        Ok(from..self.next.load(Ordering::SeqCst))
    }
}
