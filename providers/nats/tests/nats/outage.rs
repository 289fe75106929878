use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use slight_capabilities::{Bucket, ErrorKind, Messaging};
use tokio::task::JoinSet;

use crate::support::{ack, bucket, connect, eventually, member, message, messaging, next, server, text_of};

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

    /// Runs a call, and says whether it was acknowledged. An error must be an honest one, in time.
    async fn call<T>(&self, kinds: &[ErrorKind], call: impl Future<Output = slight_capabilities::Result<T>>) -> bool {
        let started = Instant::now();
        let result = call.await;
        assert!(started.elapsed() < CALL, "a call took {:?}", started.elapsed());
        match result {
            Ok(_) => {
                self.acknowledged.fetch_add(1, Ordering::SeqCst);
                true
            }
            Err(error) => {
                assert!(kinds.contains(&error.kind()), "{:?}: {error}", error.kind());
                self.refused.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                false
            }
        }
    }
}

/// Kills the server under load, lets the load fail, and goes on when it no longer does.
async fn kill_under(load: &Load, server: &mut slight_services::Server) {
    load.has("the load", &load.acknowledged, 200).await;
    tokio::task::block_in_place(|| server.kill());
    load.has("errors", &load.refused, 2 * TASKS).await;
    tokio::task::block_in_place(|| server.restart());
    load.has("service after the outage", &load.acknowledged, 200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_acknowledged_write_survives_kills_under_load() {
    let Some(mut server) = server(&[]) else { return };
    let bucket = bucket(&*connect(&server.url()).await).await;
    let load = Arc::<Load>::default();
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        tasks.spawn(write(load.clone(), bucket.clone(), task));
    }
    for _ in 0..3 {
        kill_under(&load, &mut server).await;
    }
    load.over.store(true, Ordering::SeqCst);
    for key in tasks.join_all().await.into_iter().flatten() {
        assert_eq!(bucket.get(&key).await.unwrap().map(|entry| entry.value), Some(key.clone().into()), "{key}");
    }
}

/// Writes until the load is over; the keys that were acknowledged.
async fn write(load: Arc<Load>, bucket: Arc<dyn Bucket>, task: usize) -> Vec<String> {
    let mut written = Vec::new();
    for number in 0.. {
        if load.over.load(Ordering::SeqCst) {
            break;
        }
        let key = format!("{task}-{number}");
        // In between, another process of the server may answer that it still reads its files.
        if load.call(&[ErrorKind::Unavailable], bucket.set(&key, key.clone().into())).await {
            written.push(key);
        }
    }
    written
}

#[tokio::test(flavor = "multi_thread")]
async fn increments_under_kills_count_once_or_say_that_it_is_unknown() {
    let Some(mut server) = server(&[]) else { return };
    let bucket = bucket(&*connect(&server.url()).await).await;
    let load = Arc::<Load>::default();
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        let (load, bucket) = (load.clone(), bucket.clone());
        tasks.spawn(async move {
            let kinds = [ErrorKind::Unavailable, ErrorKind::Timeout];
            let mut counted = 0_usize;
            while !load.over.load(Ordering::SeqCst) {
                counted += usize::from(load.call(&kinds, bucket.increment("counter", 1)).await);
            }
            counted
        });
    }
    kill_under(&load, &mut server).await;
    load.over.store(true, Ordering::SeqCst);
    let counted: usize = tasks.join_all().await.into_iter().sum();
    let refused = load.refused.load(Ordering::SeqCst);
    let counter = bucket.increment("counter", 0).await.unwrap() as usize;
    assert!((counted..=counted + refused.min(TASKS)).contains(&counter), "{counted} counted, {counter} found");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_published_message_is_received_although_the_server_is_killed() {
    let Some(mut server) = server(&[]) else { return };
    let messaging = messaging(&*connect(&server.url()).await);
    let mut members = Vec::new();
    for _ in 0..2 {
        members.push(member(&*messaging, &["topic"], 10, Duration::from_secs(5)).await);
    }
    let load = Arc::<Load>::default();
    let publishing = tokio::spawn(publish(load.clone(), messaging.clone()));
    let (report, mut received) = tokio::sync::mpsc::unbounded_channel();
    let mut receiving = JoinSet::new();
    for mut member in members {
        let report = report.clone();
        receiving.spawn(async move {
            loop {
                let delivery = next(&mut member).await;
                report.send(text_of(&*delivery)).unwrap();
                // Where the server is down just now, it comes once more.
                let _ = delivery.settle(slight_capabilities::Outcome::Ack).await;
            }
        });
    }
    for _ in 0..2 {
        kill_under(&load, &mut server).await;
    }
    load.over.store(true, Ordering::SeqCst);
    let mut missing: BTreeSet<String> = publishing.await.unwrap();
    while !missing.is_empty() {
        let text = tokio::time::timeout(slight_services::DEADLINE, received.recv()).await;
        missing.remove(&text.unwrap_or_else(|_| panic!("{} are missing", missing.len())).unwrap());
    }
}

/// Publishes until the load is over; the texts that were acknowledged.
async fn publish(load: Arc<Load>, messaging: Arc<dyn Messaging>) -> BTreeSet<String> {
    let mut published = BTreeSet::new();
    for number in 0.. {
        if load.over.load(Ordering::SeqCst) {
            break;
        }
        let text = number.to_string();
        let kinds = [ErrorKind::Unavailable, ErrorKind::Timeout];
        if load.call(&kinds, messaging.publish(&"topic".into(), message(&text))).await {
            published.insert(text);
        }
    }
    published
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inbox_is_open_again_after_an_outage() {
    use futures_util::StreamExt;
    let Some(mut server) = server(&[]) else { return };
    let messaging = messaging(&*connect(&server.url()).await);
    let mut inbox = messaging.inbox().await.unwrap();
    tokio::task::block_in_place(|| server.kill());
    assert!(inbox.replies.next().await.unwrap().is_err());
    // Without its data: the inbox itself is lost.
    tokio::task::block_in_place(|| server.restart());
    let to = slight_capabilities::ReplyTo { inbox: inbox.address.clone(), correlation: "1".into() };
    let reply = async {
        loop {
            if let Some(Ok(reply)) = inbox.replies.next().await {
                return reply;
            }
        }
    };
    let send = async {
        loop {
            messaging.reply(&to, message("answer")).await.unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let reply = tokio::select! {
        reply = tokio::time::timeout(slight_services::DEADLINE, reply) => reply.unwrap(),
        () = send => unreachable!("it goes on"),
    };
    assert_eq!((reply.correlation.as_str(), reply.message), ("1", message("answer")));
}

#[tokio::test]
async fn a_member_goes_on_after_an_outage() {
    let Some(mut server) = server(&[]) else { return };
    let provider = connect(&server.url()).await;
    let messaging = messaging(&*provider);
    let mut member = member(&*messaging, &["topic"], 10, Duration::from_secs(60)).await;
    messaging.publish(&"topic".into(), message("before")).await.unwrap();
    ack(next(&mut member).await).await;
    server.stop();
    server.restart();
    // Sent again over a new connection, which publishing is not.
    provider.ping().await.unwrap();
    messaging.publish(&"topic".into(), message("after")).await.unwrap();
    let delivery = next(&mut member).await;
    assert_eq!(text_of(&*delivery), "after");
    ack(delivery).await;
}

#[tokio::test]
async fn a_server_that_goes_silent_ends_calls_in_time_and_is_left_for_a_new_connection() {
    let Some(server) = server(&[]) else { return };
    let network = crate::network::Network::before(&server).await;
    let provider = connect(&network.url).await;
    let (bucket, container) = (bucket(&*provider).await, crate::support::container(&*provider).await);
    let content = crate::support::pattern(1, 4 * crate::support::MIB);
    crate::support::write(&*container, "object", content.clone()).await;
    network.be_silent(true);
    let started = Instant::now();
    let body = crate::support::body([Ok(content)]);
    let (got, set, read, written) = tokio::join!(
        bucket.get("key"),
        bucket.set("key", "1".into()),
        container.read("object", slight_capabilities::ByteRange::ALL),
        container.write("other", body),
    );
    for error in [got.err(), set.err(), read.err(), written.err()] {
        let error = error.unwrap();
        assert!(matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Unavailable), "{error}");
    }
    assert!(started.elapsed() < CALL, "{:?}", started.elapsed());
    network.be_silent(false);
    eventually("service after the silence", async || bucket.set("key", "2".into()).await.is_ok()).await;
}
