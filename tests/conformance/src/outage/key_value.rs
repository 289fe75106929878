use std::sync::Arc;

use slight_capabilities::{Bucket, parse_counter};

use super::{Outage, load::Load};
use crate::{
    check::{Failure, Outcome, equal, require},
    key_value::value_of,
};

async fn bucket(outage: &Outage) -> Outcome<Arc<dyn Bucket>> {
    let store = outage.provider.key_value();
    let store = store.ok_or_else(|| Failure::new("expected a provider of key-value, found none"))?;
    Ok(store.open(&"bucket".into()).await?)
}

pub(super) async fn acknowledged_entries_survive_an_outage(outage: &mut Outage) -> Outcome {
    let bucket = bucket(outage).await?;
    let load = Arc::<Load>::default();
    let tasks = load.start(|load, task| write(load, bucket.clone(), task));
    for _ in 0..2 {
        load.outage(outage).await?;
    }
    for key in load.end(tasks).await?.concat() {
        let found = value_of(&*bucket, &key).await?;
        equal(format_args!("the value of {key:?}"), found, Some(key.clone().into()))?;
    }
    Ok(())
}

/// Writes one entry after the other; the keys of those that were acknowledged.
async fn write(load: Arc<Load>, bucket: Arc<dyn Bucket>, task: usize) -> Outcome<Vec<String>> {
    let mut written = Vec::new();
    for number in 0.. {
        if load.is_over() {
            break;
        }
        let key = format!("{task}/{number}");
        if load.call(bucket.set(&key, key.clone().into())).await? {
            written.push(key);
        }
    }
    Ok(written)
}

pub(super) async fn increments_in_an_outage_count_once_or_are_unknown(outage: &mut Outage) -> Outcome {
    let bucket = bucket(outage).await?;
    let load = Arc::<Load>::default();
    let tasks = load.start(|load, task| count(load, bucket.clone(), format!("counter {task}")));
    load.outage(outage).await?;
    for (counter, counted) in load.end(tasks).await? {
        let found = value_of(&*bucket, &counter).await?;
        let found = found.and_then(|value| parse_counter(&value)).unwrap_or_default();
        // The one that ran when the server ended may have been done without an answer.
        let whole = (counted..=counted + 1).contains(&found);
        require(whole, format_args!("{counter:?}: expected {counted} increments, or one more, found {found}"))?;
    }
    Ok(())
}

/// Increments a counter again and again; how often it was acknowledged.
async fn count(load: Arc<Load>, bucket: Arc<dyn Bucket>, counter: String) -> Outcome<(String, i64)> {
    let mut counted = 0;
    while !load.is_over() {
        counted += i64::from(load.call(bucket.increment(&counter, 1)).await?);
    }
    Ok((counter, counted))
}
