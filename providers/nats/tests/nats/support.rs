//! Servers, providers, and waiting.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_nats::jetstream::{self, Context};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use slight_capabilities::{
    Bucket, ByteRange, ByteStream, Capability, Container, Deliveries, Delivery, Message, Messaging, Outcome, Provider,
    QualifiedName, Result, Subscription,
};
use slight_provider_nats::kind;
use slight_services::{DEADLINE, NATS, Server, present, shared_url};

pub const MIB: usize = 1024 * 1024;

/// A server of the test's own; `None`, said loudly, where there is none.
#[track_caller]
pub fn server(more: &[&str]) -> Option<Server> {
    present(Server::start(&NATS, more))
}

/// The URL of a server that all tests share, each in locations of its own.
#[track_caller]
pub fn shared() -> Option<String> {
    present(shared_url(&NATS))
}

/// The provider of a section with these settings.
pub async fn provider(settings: Value) -> Arc<dyn Provider> {
    kind().connect(settings).await.unwrap()
}

/// The provider of a section with nothing but the URL.
pub async fn connect(url: &str) -> Arc<dyn Provider> {
    provider(json!({ "url": url })).await
}

/// The provider of a section whose locations begin with a name that no other test has.
pub async fn apart(url: &str, name: &str) -> Arc<dyn Provider> {
    let location = |kind: &str| json!({ "location": format!("{name}-{kind}") });
    let settings =
        json!({ "url": url, "key-value": location("kv"), "blob": location("blob"), "messaging": location("msg") });
    provider(settings).await
}

pub async fn bucket(provider: &dyn Provider) -> Arc<dyn Bucket> {
    provider.key_value().unwrap().open(&"bucket".into()).await.unwrap()
}

pub async fn container(provider: &dyn Provider) -> Arc<dyn Container> {
    provider.prepare(Capability::Blob).await.unwrap();
    provider.blob().unwrap().create(&"container".into()).await.unwrap()
}

pub fn messaging(provider: &dyn Provider) -> Arc<dyn Messaging> {
    provider.messaging().unwrap()
}

/// A connection past the provider.
pub async fn nats(url: &str) -> Context {
    jetstream::new(async_nats::connect(url).await.unwrap())
}

/// How many messages a stream holds.
pub async fn messages_in(nats: &Context, stream: &str) -> u64 {
    nats.get_stream(stream).await.unwrap().cached_info().state.messages
}

pub fn message(text: &str) -> Message {
    Message { data: text.to_owned().into(), ..Message::default() }
}

pub fn text_of(delivery: &dyn Delivery) -> String {
    String::from_utf8(delivery.message().data.to_vec()).unwrap()
}

pub async fn member(messaging: &dyn Messaging, topics: &[&str], capacity: usize, visibility: Duration) -> Deliveries {
    let topics = topics.iter().map(|topic| QualifiedName::from(*topic)).collect();
    messaging.subscribe(Subscription { topics, group: "group".into(), capacity, visibility }).await.unwrap()
}

/// The next delivery. Errors are transient, and so passed over.
pub async fn next(deliveries: &mut Deliveries) -> Box<dyn Delivery> {
    let next = async {
        loop {
            if let Ok(delivery) = deliveries.next().await.expect("the stream goes on") {
                return delivery;
            }
        }
    };
    tokio::time::timeout(DEADLINE, next).await.expect("a delivery comes")
}

pub async fn ack(delivery: Box<dyn Delivery>) {
    delivery.settle(Outcome::Ack).await.unwrap();
}

/// Bytes that repeat nowhere near.
pub fn pattern(seed: u64, size: usize) -> Bytes {
    let words = (0..size.div_ceil(8) as u64).map(|word| (word ^ seed).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let mut bytes: Vec<u8> = words.flat_map(u64::to_le_bytes).collect();
    bytes.truncate(size);
    bytes.into()
}

pub fn body(pieces: impl IntoIterator<Item = Result<Bytes>, IntoIter: Send + 'static>) -> ByteStream {
    Box::pin(stream::iter(pieces))
}

pub async fn write(container: &dyn Container, object: &str, content: Bytes) {
    container.write(object, body([Ok(content)])).await.unwrap();
}

pub async fn read(container: &dyn Container, object: &str) -> Bytes {
    rest(container.read(object, ByteRange::ALL).await.unwrap().body).await.unwrap()
}

pub async fn rest(mut body: ByteStream) -> Result<Bytes> {
    let mut content = Vec::new();
    while let Some(piece) = body.next().await {
        content.extend_from_slice(&piece?);
    }
    Ok(content.into())
}

/// Asks again until it holds.
pub async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !holds().await {
        assert!(Instant::now() < end, "{what} did not come about within {DEADLINE:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
