//! Providers with a network that fails as it is told to, and waiting.

use std::{
    hash::{BuildHasher, RandomState},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use slight_capabilities::{
    Bucket, ByteRange, ByteStream, Capability, Container, Deliveries, Delivery, Message, Messaging, Outcome, Provider,
    QualifiedName, Result, Subscription,
};
use slight_provider_azure::kind;
use slight_services::{DEADLINE, Faults, present, shared_azurite};

use crate::raw;

pub const MIB: usize = 1024 * 1024;

/// The connection string of the Azurite that the tests share; `None`, said loudly, where there is none.
#[track_caller]
pub fn azurite() -> Option<String> {
    present(shared_azurite())
}

/// A name that nobody else uses.
pub fn unique(name: &str) -> QualifiedName {
    format!("{name} {:x}", RandomState::new().hash_one(name)).as_str().into()
}

/// The provider of a section with these settings, prepared for all.
pub async fn provider(settings: Value) -> Arc<dyn Provider> {
    let provider = kind().connect(settings).await.unwrap();
    for capability in Capability::ALL {
        provider.prepare(capability).await.unwrap();
    }
    provider
}

/// The provider of a section that waits less for its groups than by default.
pub async fn connect(string: &str) -> Arc<dyn Provider> {
    provider(json!({ "connection-string": string, "messaging": { "group-cache": "100ms" } })).await
}

/// A network of this test's own between a provider and the shared Azurite.
pub struct Network {
    pub blobs: Faults,
    pub queues: Faults,
    /// Past the network.
    pub direct: String,
    /// Through it.
    pub string: String,
}

impl Network {
    #[track_caller]
    pub fn new() -> Option<Self> {
        let direct = azurite()?;
        let port = |endpoint: &str| -> u16 {
            let url: azure_core::http::Url = raw::part(&direct, endpoint).parse().unwrap();
            url.port().unwrap()
        };
        let (blob, queue) = (port("BlobEndpoint"), port("QueueEndpoint"));
        let (blobs, queues) = (Faults::before(blob), Faults::before(queue));
        let string = direct.replace(&format!(":{blob}/"), &format!(":{}/", blobs.port()));
        let string = string.replace(&format!(":{queue}/"), &format!(":{}/", queues.port()));
        Some(Self { blobs, queues, direct, string })
    }

    /// The provider behind this network. What it took to prepare is not counted.
    pub async fn connect(&self) -> Arc<dyn Provider> {
        let provider = connect(&self.string).await;
        self.blobs.take_requests();
        self.queues.take_requests();
        provider
    }

    /// With so much time for a call, as `"1s"`.
    pub async fn connect_within(&self, timeout: &str) -> Arc<dyn Provider> {
        let messaging = json!({ "group-cache": "100ms" });
        provider(json!({ "connection-string": self.string, "timeout": timeout, "messaging": messaging })).await
    }
}

pub async fn bucket(provider: &dyn Provider) -> Arc<dyn Bucket> {
    provider.key_value().unwrap().open(&unique("bucket")).await.unwrap()
}

pub async fn container(provider: &dyn Provider) -> Arc<dyn Container> {
    provider.blob().unwrap().create(&unique("container")).await.unwrap()
}

pub fn messaging(provider: &dyn Provider) -> Arc<dyn Messaging> {
    provider.messaging().unwrap()
}

/// A stream of chunks.
pub fn body(chunks: Vec<Result<Bytes>>) -> ByteStream {
    Box::pin(stream::iter(chunks))
}

/// So many bytes, of which none are like their neighbours.
pub fn pattern(size: usize) -> Bytes {
    (0..size).map(|index| (index * 31 + index / 251) as u8).collect()
}

pub async fn write(container: &dyn Container, object: &str, content: &Bytes) {
    container.write(object, body(vec![Ok(content.clone())])).await.unwrap();
}

pub async fn read(container: &dyn Container, object: &str) -> Result<Bytes> {
    let mut blob = container.read(object, ByteRange::ALL).await?;
    let mut content = Vec::new();
    while let Some(chunk) = blob.body.next().await {
        content.extend_from_slice(&chunk?);
    }
    assert_eq!(content.len() as u64, blob.size);
    Ok(content.into())
}

pub fn message(text: &str) -> Message {
    Message { data: text.to_owned().into(), ..Message::default() }
}

pub fn text_of(delivery: &dyn Delivery) -> String {
    String::from_utf8(delivery.message().data.to_vec()).unwrap()
}

/// A member of the group `group`.
pub async fn member(messaging: &dyn Messaging, topic: &QualifiedName, visibility: Duration) -> Deliveries {
    let topics = vec![topic.clone()];
    messaging.subscribe(Subscription { topics, group: "group".into(), capacity: 100, visibility }).await.unwrap()
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

/// Asks again until it holds.
pub async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !holds().await {
        assert!(Instant::now() < end, "{what} did not come about within {DEADLINE:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
