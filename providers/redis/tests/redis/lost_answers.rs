use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use serde_json::json;
use slight_capabilities::ErrorKind;
use slight_services::Server;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::support::{bucket, connect, provider, server};

/// A network between a client and the server that can cut the connection when an answer comes back.
struct Network {
    url: String,
    cut: Arc<AtomicBool>,
}

impl Network {
    async fn before(server: &Server) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("redis://{}", listener.local_addr().unwrap());
        let cut = Arc::<AtomicBool>::default();
        let (port, cuts) = (server.port(), cut.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, port, cuts.clone()));
            }
        });
        Self { url, cut }
    }

    /// The answer to the next command is lost.
    fn lose_the_next_answer(&self) {
        self.cut.store(true, Ordering::SeqCst);
    }

    /// Whether that has come to pass.
    fn has_lost(&self) -> bool {
        !self.cut.load(Ordering::SeqCst)
    }
}

async fn carry(client: TcpStream, port: u16, cut: Arc<AtomicBool>) {
    let server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let there = tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
    let mut piece = [0; 4096];
    while let Ok(length @ 1..) = from_server.read(&mut piece).await {
        if cut.swap(false, Ordering::SeqCst) {
            break;
        }
        if to_client.write_all(&piece[..length]).await.is_err() {
            break;
        }
    }
    there.abort();
}

#[tokio::test]
async fn a_lost_answer_leaves_the_outcome_unknown_and_counts_once() {
    let Some(server) = server(&[]) else { return };
    let network = Network::before(&server).await;
    let bucket = bucket(&*provider(json!({ "url": network.url })).await).await;
    assert_eq!(bucket.increment("counter", 1).await.unwrap(), 1);
    network.lose_the_next_answer();
    let lost = bucket.increment("counter", 1).await.unwrap_err();
    assert_eq!(lost.kind(), ErrorKind::Timeout, "{lost}");
    assert!(lost.message().contains("unknown"), "{lost}");
    assert_eq!(bucket.increment("counter", 0).await.unwrap(), 2);
}

#[tokio::test]
async fn a_swap_whose_answer_is_lost_is_no_conflict() {
    let Some(server) = server(&[]) else { return };
    let network = Network::before(&server).await;
    let bucket = bucket(&*provider(json!({ "url": network.url })).await).await;
    network.lose_the_next_answer();
    assert_eq!(bucket.swap("key", None, "1".into()).await.unwrap_err().kind(), ErrorKind::Timeout);
    let entry = bucket.get("key").await.unwrap().unwrap();
    // So that the script is known, and its own answer is the one that is lost.
    bucket.swap("key", Some(&entry.version), "1".into()).await.unwrap();
    network.lose_the_next_answer();
    let lost = bucket.swap("key", Some(&entry.version), "2".into()).await.unwrap_err();
    assert_eq!(lost.kind(), ErrorKind::Timeout, "{lost}");
    assert_eq!(bucket.get("key").await.unwrap().unwrap().value, "2");
}

#[tokio::test]
async fn reads_and_plain_writes_are_sent_again() {
    let Some(server) = server(&[]) else { return };
    let network = Network::before(&server).await;
    let bucket = bucket(&*provider(json!({ "url": network.url })).await).await;
    network.lose_the_next_answer();
    bucket.set("key", "value".into()).await.unwrap();
    assert!(network.has_lost());
    network.lose_the_next_answer();
    assert_eq!(bucket.get("key").await.unwrap().unwrap().value, "value");
    assert!(network.has_lost());
    network.lose_the_next_answer();
    assert_eq!(bucket.keys(None).await.unwrap().items, ["key"]);
    assert!(network.has_lost());
}

#[tokio::test]
async fn a_publication_whose_answer_is_lost_is_not_sent_again() {
    let Some(server) = server(&[]) else { return };
    let network = Network::before(&server).await;
    let far = crate::support::messaging(&*provider(json!({ "url": network.url })).await);
    let near = crate::support::messaging(&*connect(&server).await);
    near.create_group(&"topic".into(), "group").await.unwrap();
    far.publish(&"topic".into(), crate::support::message("first")).await.unwrap();
    network.lose_the_next_answer();
    let lost = far.publish(&"topic".into(), crate::support::message("second")).await.unwrap_err();
    assert_eq!(lost.kind(), ErrorKind::Timeout, "{lost}");
    let length: usize = redis::cmd("XLEN")
        .arg("slight-msg:{topic}:stream")
        .query_async(&mut crate::support::redis(&server).await)
        .await
        .unwrap();
    assert_eq!(length, 2);
}
