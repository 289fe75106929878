use std::sync::Arc;

use serde_json::json;
use slight_capabilities::{Bucket, ErrorKind, Provider, QualifiedName};
use tokio::task::JoinSet;

use crate::support::{azurite, provider, unique};

const TASKS: usize = 8;
const TURNS: i64 = 10;

async fn open(provider: &dyn Provider, name: &QualifiedName) -> Arc<dyn Bucket> {
    provider.key_value().unwrap().open(name).await.unwrap()
}

/// Two providers: to Azure they are two processes.
async fn two() -> Option<[Arc<dyn Bucket>; 2]> {
    let string = azurite()?;
    let name = unique("bucket");
    // Where the machine is busy, not each of so many has its turn within the time of a call.
    let patient = async || provider(json!({ "connection-string": string, "timeout": "60s" })).await;
    Some([open(&*patient().await, &name).await, open(&*patient().await, &name).await])
}

/// Runs tasks on both, all at the same time.
async fn race<Racing>(buckets: &[Arc<dyn Bucket>; 2], run: impl Fn(Arc<dyn Bucket>) -> Racing)
where
    Racing: Future<Output = ()> + Send + 'static,
{
    let mut tasks = JoinSet::new();
    for bucket in buckets {
        for _ in 0..TASKS {
            tasks.spawn(run(bucket.clone()));
        }
    }
    tasks.join_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn increments_of_two_processes_lose_none() {
    let Some(buckets) = two().await else { return };
    race(&buckets, |bucket| async move {
        for _ in 0..TURNS {
            bucket.increment("counter", 1).await.unwrap();
        }
    })
    .await;
    assert_eq!(buckets[0].increment("counter", 0).await.unwrap(), 2 * TASKS as i64 * TURNS);
}

#[tokio::test(flavor = "multi_thread")]
async fn swaps_of_two_processes_lose_none() {
    let Some(buckets) = two().await else { return };
    buckets[0].set("number", "0".into()).await.unwrap();
    race(&buckets, |bucket| async move {
        for _ in 0..TURNS / 2 {
            while !add_one(&*bucket).await {}
        }
    })
    .await;
    let end = buckets[1].get("number").await.unwrap().unwrap().value;
    assert_eq!(end, (2 * TASKS as i64 * (TURNS / 2)).to_string());
}

/// Reads a number and swaps it for the next; false when somebody was faster.
async fn add_one(bucket: &dyn Bucket) -> bool {
    let entry = bucket.get("number").await.unwrap().unwrap();
    let number: i64 = std::str::from_utf8(&entry.value).unwrap().parse().unwrap();
    match bucket.swap("number", Some(&entry.version), (number + 1).to_string().into()).await {
        Ok(()) => true,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
            false
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_absent_entry_is_created_by_one_of_many() {
    let Some(buckets) = two().await else { return };
    let mut tasks = JoinSet::new();
    for bucket in &buckets {
        for task in 0..TASKS {
            let bucket = bucket.clone();
            tasks.spawn(async move { bucket.swap("key", None, task.to_string().into()).await });
        }
    }
    let ended = tasks.join_all().await;
    assert_eq!(ended.iter().filter(|ended| ended.is_ok()).count(), 1);
    assert!(ended.iter().flat_map(|ended| ended.as_ref().err()).all(|error| error.kind() == ErrorKind::Conflict));
}
