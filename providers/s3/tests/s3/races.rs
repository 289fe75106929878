use std::sync::Arc;

use slight_capabilities::{Bucket, ErrorKind};
use tokio::task::JoinSet;

use crate::support::{place, value};

const TASKS: usize = 8;
const TURNS: usize = 10;

/// Two providers: to the server they are two processes.
async fn two() -> Option<[Arc<dyn Bucket>; 2]> {
    let place = place()?;
    Some([place.bucket().await, place.bucket().await])
}

#[tokio::test]
async fn two_processes_see_each_others_writes() {
    let Some([one, other]) = two().await else { return };
    one.set("key", "1".into()).await.unwrap();
    let seen = other.get("key").await.unwrap().unwrap();
    assert_eq!(seen.value, "1");
    other.swap("key", Some(&seen.version), "2".into()).await.unwrap();
    assert_eq!(one.swap("key", Some(&seen.version), "3".into()).await.unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(value(&*one, "key").await.as_deref(), Some("2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn increments_of_two_processes_lose_none() {
    let Some(buckets) = two().await else { return };
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
    assert_eq!(buckets[0].increment("counter", 0).await.unwrap(), (2 * TASKS * TURNS) as i64);
}

#[tokio::test(flavor = "multi_thread")]
async fn swaps_of_two_processes_lose_none() {
    let Some(buckets) = two().await else { return };
    buckets[0].set("number", "0".into()).await.unwrap();
    let mut tasks = JoinSet::new();
    for bucket in &buckets {
        for _ in 0..TASKS {
            let bucket = bucket.clone();
            tasks.spawn(async move {
                for _ in 0..TURNS / 2 {
                    while !add_one(&*bucket).await {}
                }
            });
        }
    }
    tasks.join_all().await;
    assert_eq!(value(&*buckets[1], "number").await.unwrap(), (2 * TASKS * (TURNS / 2)).to_string());
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
