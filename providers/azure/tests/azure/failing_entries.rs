use std::time::{Duration, Instant};

use slight_capabilities::ErrorKind;
use slight_services::{Fault, Rule};

use crate::support::{Network, bucket, pattern};

fn busy(status: u16) -> Fault {
    Fault::answer(status, "<?xml version=\"1.0\"?><Error><Code>ServerBusy</Code><Message>busy</Message></Error>")
}

#[tokio::test]
async fn reads_and_plain_writes_are_sent_again() {
    let Some(network) = Network::new() else { return };
    let bucket = bucket(&*network.connect().await).await;
    let value = pattern(300_000);
    for fault in [busy(500), busy(503), busy(429), Fault::CutRequest, Fault::CutAnswer, Fault::CutBody(100_000)] {
        network.blobs.add(Rule::once(fault.clone()).method("PUT"));
        bucket.set("key", value.clone()).await.unwrap();
        network.blobs.clear();
        network.blobs.add(Rule::once(fault.clone()).method("GET"));
        assert_eq!(bucket.get("key").await.unwrap().unwrap().value, value, "{fault:?}");
        network.blobs.clear();
        network.blobs.add(Rule::once(fault.clone()).method("GET"));
        assert_eq!(bucket.keys(None).await.unwrap().items, ["key"], "{fault:?}");
        network.blobs.clear();
        network.blobs.add(Rule::once(fault.clone()).method("DELETE"));
        bucket.delete("key").await.unwrap();
        network.blobs.clear();
        assert!(!bucket.exists("key").await.unwrap(), "{fault:?}");
    }
}

#[tokio::test]
async fn an_account_that_stays_busy_or_broken_is_unavailable_in_time() {
    let Some(network) = Network::new() else { return };
    let bucket = bucket(&*network.connect().await).await;
    for fault in [busy(503), busy(429), busy(500), Fault::CutRequest] {
        network.blobs.add(Rule::always(fault.clone()));
        let started = Instant::now();
        for error in [bucket.get("key").await.unwrap_err(), bucket.set("key", "1".into()).await.unwrap_err()] {
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{fault:?}: {error}");
        }
        assert!(started.elapsed() < Duration::from_secs(16), "{:?}", started.elapsed());
        network.blobs.clear();
    }
    assert!(bucket.get("key").await.unwrap().is_none());
}

#[tokio::test]
async fn a_slow_account_is_given_up_in_time() {
    let Some(network) = Network::new() else { return };
    let bucket = bucket(&*network.connect_within("3s").await).await;
    network.blobs.add(Rule::always(Fault::Delay(Duration::from_secs(60))));
    let started = Instant::now();
    assert_eq!(bucket.get("key").await.unwrap_err().kind(), ErrorKind::Timeout);
    let late = bucket.swap("key", None, "1".into()).await.unwrap_err();
    assert!(late.kind() == ErrorKind::Timeout && late.message().contains("unknown"), "{late}");
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_swap_whose_answer_is_lost_is_no_conflict() {
    let Some(network) = Network::new() else { return };
    let bucket = bucket(&*network.connect().await).await;
    network.blobs.add(Rule::once(Fault::CutAnswer).method("PUT"));
    let lost = bucket.swap("key", None, "1".into()).await.unwrap_err();
    assert!(lost.kind() == ErrorKind::Timeout && lost.message().contains("unknown"), "{lost}");
    let entry = bucket.get("key").await.unwrap().unwrap();
    assert_eq!(entry.value, "1");
    network.blobs.add(Rule::once(Fault::CutAnswer).method("PUT"));
    let lost = bucket.swap("key", Some(&entry.version), "2".into()).await.unwrap_err();
    assert_eq!(lost.kind(), ErrorKind::Timeout, "{lost}");
    assert_eq!(bucket.get("key").await.unwrap().unwrap().value, "2");
    assert_eq!(network.blobs.count("PUT"), 2);
}

#[tokio::test]
async fn an_increment_whose_answer_is_lost_counts_once() {
    let Some(network) = Network::new() else { return };
    let bucket = bucket(&*network.connect().await).await;
    assert_eq!(bucket.increment("counter", 1).await.unwrap(), 1);
    for fault in [Fault::CutAnswer, Fault::CutRequest, busy(500)] {
        network.blobs.add(Rule::once(fault).method("PUT"));
        let lost = bucket.increment("counter", 1).await.unwrap_err();
        assert!(lost.kind() == ErrorKind::Timeout && lost.message().contains("unknown"), "{lost}");
        network.blobs.clear();
    }
    // The first was done; of the others nobody here knows, and the server never saw them.
    assert_eq!(bucket.increment("counter", 0).await.unwrap(), 2);
}

#[tokio::test]
async fn swaps_and_increments_wait_where_the_account_is_busy() {
    let Some(network) = Network::new() else { return };
    let bucket = bucket(&*network.connect().await).await;
    for status in [503, 429] {
        let key = status.to_string();
        network.blobs.add(Rule::always(busy(status)).method("PUT").times(2));
        bucket.swap(&key, None, "1".into()).await.unwrap();
        network.blobs.clear();
        network.blobs.add(Rule::always(busy(status)).times(2));
        assert_eq!(bucket.increment(&key, 1).await.unwrap(), 2);
        network.blobs.clear();
    }
}
