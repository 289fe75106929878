use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::json;
use slight_capabilities::{Bucket, ByteRange, ErrorKind};
use slight_services::{SEAWEEDFS, Server, present};
use tokio::task::JoinSet;

use crate::support::{bucket, container, eventually, is_megabytes, megabytes, place_on, value};

/// The runtime gives a call 10 seconds.
const CALL: Duration = Duration::from_secs(10);

const TASKS: usize = 4;

/// What the tasks of a load have seen so far.
#[derive(Default)]
struct Load {
    acknowledged: AtomicUsize,
    refused: AtomicUsize,
    over: AtomicBool,
}

impl Load {
    async fn has(&self, what: &str, count: &AtomicUsize, more: usize) {
        let end = count.load(Ordering::SeqCst) + more;
        eventually(what, async || count.load(Ordering::SeqCst) >= end).await;
    }

    /// Writes one key after the other until the load is over; gives the keys whose writes were acknowledged.
    async fn write(&self, bucket: &dyn Bucket, task: usize) -> Vec<String> {
        let mut written = Vec::new();
        for number in 0.. {
            if self.over.load(Ordering::SeqCst) {
                break;
            }
            let (key, started) = (format!("{task}/{number}"), Instant::now());
            let result = bucket.set(&key, key.clone().into()).await;
            assert!(started.elapsed() < CALL, "a call took {:?}", started.elapsed());
            match result {
                Ok(()) => {
                    self.acknowledged.fetch_add(1, Ordering::SeqCst);
                    written.push(key);
                }
                Err(error) => {
                    let honest = [ErrorKind::Unavailable, ErrorKind::Timeout].contains(&error.kind());
                    assert!(honest, "{:?}: {error}", error.kind());
                    self.refused.fetch_add(1, Ordering::SeqCst);
                }
            }
        }
        written
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_and_started_again_has_what_was_acknowledged() {
    let Some(mut server) = present(Server::start(&SEAWEEDFS, &[])) else { return };
    let bucket = bucket(&*place_on(&server).provider_with(json!({ "timeout": "5s" })).await).await;
    let load = Arc::new(Load::default());
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let (load, bucket) = (load.clone(), bucket.clone());
        tasks.spawn(async move { load.write(&*bucket, task).await });
    }
    load.has("the load", &load.acknowledged, 200).await;
    tokio::task::block_in_place(|| server.kill());
    load.has("errors", &load.refused, 2 * TASKS).await;
    tokio::task::block_in_place(|| server.restart());
    load.has("service after the outage", &load.acknowledged, 100).await;
    load.over.store(true, Ordering::SeqCst);
    for key in tasks.join_all().await.concat() {
        assert_eq!(value(&*bucket, &key).await.as_ref(), Some(&key));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_in_an_outage_fails_and_what_was_there_stays() {
    let Some(mut server) = present(Server::start(&SEAWEEDFS, &[])) else { return };
    let provider = place_on(&server).provider_with(json!({ "timeout": "5s" })).await;
    let container = container(&*provider).await;
    container.write("object", megabytes(9)).await.unwrap();
    tokio::task::block_in_place(|| server.kill());
    for size in [1, 20] {
        let error = container.write("object", megabytes(size)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    }
    tokio::task::block_in_place(|| server.restart());
    is_megabytes(container.read("object", ByteRange::ALL).await.unwrap(), 9).await;
    container.write("object", megabytes(10)).await.unwrap();
}
