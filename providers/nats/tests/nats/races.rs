use std::sync::Arc;

use slight_capabilities::{Bucket, ErrorKind};
use tokio::task::JoinSet;

use crate::support::{apart, bucket, shared};

const TASKS: usize = 8;
const TURNS: i64 = 100;

/// Two providers: to the server they are two processes.
async fn two(name: &str) -> Option<[Arc<dyn Bucket>; 2]> {
    let url = shared()?;
    Some([bucket(&*apart(&url, name).await).await, bucket(&*apart(&url, name).await).await])
}

#[tokio::test]
async fn two_processes_see_each_others_writes() {
    let Some([one, other]) = two("two-processes-see").await else { return };
    one.set("key", "1".into()).await.unwrap();
    assert_eq!(other.get("key").await.unwrap().unwrap().value, "1");
    let seen = other.get("key").await.unwrap().unwrap();
    other.swap("key", Some(&seen.version), "2".into()).await.unwrap();
    assert_eq!(one.swap("key", Some(&seen.version), "3".into()).await.unwrap_err().kind(), ErrorKind::Conflict);
}

#[tokio::test(flavor = "multi_thread")]
async fn increments_of_two_processes_lose_none() {
    let Some(buckets) = two("increments-of-two").await else { return };
    let mut tasks = JoinSet::new();
    for bucket in &buckets {
        for _ in 0..TASKS {
            let bucket = bucket.clone();
            tasks.spawn(async move {
                for _ in 0..TURNS {
                    bucket.increment("counter", 1).await.unwrap();
                }
            });
        }
    }
    tasks.join_all().await;
    assert_eq!(buckets[0].increment("counter", 0).await.unwrap(), 2 * TASKS as i64 * TURNS);
}

#[tokio::test(flavor = "multi_thread")]
async fn swaps_of_two_processes_lose_none() {
    let Some(buckets) = two("swaps-of-two").await else { return };
    buckets[0].set("number", "0".into()).await.unwrap();
    let mut tasks = JoinSet::new();
    for bucket in &buckets {
        for _ in 0..TASKS {
            let bucket = bucket.clone();
            tasks.spawn(async move {
                for _ in 0..TURNS / 4 {
                    while !add_one(&*bucket).await {}
                }
            });
        }
    }
    tasks.join_all().await;
    let end = buckets[1].get("number").await.unwrap().unwrap().value;
    assert_eq!(end, (2 * TASKS as i64 * (TURNS / 4)).to_string());
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
