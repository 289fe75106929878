//! Servers, providers, and waiting.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::StreamExt;
use serde_json::{Value, json};
use slight_capabilities::{
    Bucket, Deliveries, Delivery, Message, Messaging, Outcome, Provider, QualifiedName, Subscription,
};
use slight_provider_redis::kind;
use slight_services::{DEADLINE, REDIS, Server, present};

/// Every acknowledged write is on the disk.
pub const DURABLE: [&str; 4] = ["--appendonly", "yes", "--appendfsync", "always"];

/// A server of the test's own; `None`, said loudly, where there is none.
#[track_caller]
pub fn server(more: &[&str]) -> Option<Server> {
    present(Server::start(&REDIS, more))
}

/// The provider of a section with these settings.
pub async fn provider(settings: Value) -> Arc<dyn Provider> {
    kind().connect(settings).await.unwrap()
}

/// The provider of a section with nothing but the URL.
pub async fn connect(server: &Server) -> Arc<dyn Provider> {
    provider(json!({ "url": server.url() })).await
}

pub async fn bucket(provider: &dyn Provider) -> Arc<dyn Bucket> {
    provider.key_value().unwrap().open(&"bucket".into()).await.unwrap()
}

pub fn messaging(provider: &dyn Provider) -> Arc<dyn Messaging> {
    provider.messaging().unwrap()
}

/// A connection past the provider.
pub async fn redis(server: &Server) -> redis::aio::MultiplexedConnection {
    // Of its own accord it is less patient than a busy machine asks for.
    let config = redis::AsyncConnectionConfig::new().set_connection_timeout(Some(DEADLINE));
    let config = config.set_response_timeout(Some(DEADLINE));
    redis::Client::open(server.url()).unwrap().get_multiplexed_async_connection_with_config(&config).await.unwrap()
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

/// Asks again until it holds.
pub async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !holds().await {
        assert!(Instant::now() < end, "{what} did not come about within {DEADLINE:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
