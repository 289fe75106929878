//! The calls as a guest makes them, over the memory provider.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::StreamExt;
use slight_capabilities as capabilities;
use slight_capabilities::{
    Deliveries, Delivery, Inbox, Messaging, Provider, QualifiedName, ReplyTo, Result, Route, Routes,
};
use slight_provider_memory::Memory;
use tokio::task::JoinHandle;
use wasmtime::component::Resource;

use super::types::{Error, HostClient, HostMessage};
use super::*;
use crate::{
    Environment, Limits, Services,
    bindings::wasi::messaging::{
        producer::Host as _,
        request_reply::{Host as _, HostRequestOptions},
    },
};

struct World {
    provider: Arc<dyn Messaging>,
    state: State,
}

impl World {
    fn new() -> Self {
        Self::on(Memory::new().messaging().unwrap())
    }

    fn on(provider: Arc<dyn Messaging>) -> Self {
        let backend = Backend { section: "memory".into(), provider: provider.clone() };
        let mut messaging = Routes::none();
        messaging.insert("default", Route { prefix: "shop-".into(), ..Route::to(backend) });
        let services = Services { messaging, ..Services::default() };
        let limits = Limits { message: 1000, memory: 100_000, handles: 100, ..Limits::default() };
        let state = State::new(Arc::new(Shared::new(services, limits, Environment::default(), 0))).unwrap();
        Self { provider, state }
    }

    async fn connect(&mut self, name: &str) -> Result<Resource<Client>, Error> {
        HostClient::connect(&mut self.state, name.to_owned()).await.unwrap()
    }

    async fn message(&mut self, text: &str) -> Resource<Message> {
        HostMessage::new(&mut self.state, text.into()).await.unwrap()
    }

    async fn send(&mut self, topic: &str, message: Resource<Message>) -> Result<(), Error> {
        let client = self.connect("").await.unwrap();
        self.state.send(client, topic.to_owned(), message).await.unwrap()
    }

    async fn subscribe(&self, topic: &str) -> Deliveries {
        let topics = vec![QualifiedName::new("shop-", topic)];
        let visibility = Duration::from_secs(30);
        let subscription = capabilities::Subscription { topics, group: "group".into(), capacity: 4, visibility };
        self.provider.subscribe(subscription).await.unwrap()
    }

    /// Answers the next request on `topic` with each of these, in the guest's place.
    async fn answer(&self, topic: &str, replies: &'static [&'static str]) -> JoinHandle<Box<dyn Delivery>> {
        let (provider, mut deliveries) = (self.provider.clone(), self.subscribe(topic).await);
        tokio::spawn(async move {
            let request = next(&mut deliveries).await;
            let to = request.message().reply_to.clone().unwrap();
            for reply in replies {
                let message = capabilities::Message { data: (*reply).into(), ..Default::default() };
                provider.reply(&to, message).await.unwrap();
            }
            request
        })
    }

    async fn request(
        &mut self,
        topic: &str,
        timeout: Option<u32>,
        expected: Option<u32>,
    ) -> Result<Vec<String>, Error> {
        let client = self.connect("").await.unwrap();
        let message = self.message("question").await;
        let options = HostRequestOptions::new(&mut self.state).await.unwrap();
        let handle = options.rep();
        if let Some(milliseconds) = timeout {
            self.state.set_timeout_ms(Resource::new_borrow(handle), milliseconds).await.unwrap();
        }
        if let Some(count) = expected {
            self.state.set_expected_replies(Resource::new_borrow(handle), count).await.unwrap();
        }
        let replies = self.state.request(client, topic.to_owned(), message, Some(options)).await.unwrap()?;
        let text = |reply: Resource<Message>| {
            let data = self.state.table.delete(reply).unwrap().content.data;
            String::from_utf8(data.into()).unwrap()
        };
        Ok(replies.into_iter().map(text).collect())
    }
}

async fn next(deliveries: &mut Deliveries) -> Box<dyn Delivery> {
    let next = tokio::time::timeout(Duration::from_secs(20), deliveries.next());
    next.await.expect("nothing was delivered").unwrap().unwrap()
}

#[test]
fn each_kind_of_error_has_its_case() {
    assert!(matches!(capabilities::Error::timeout("no answer").into(), Error::Timeout));
    assert!(
        matches!(capabilities::Error::unavailable("no server").into(), Error::Connection(text) if text == "no server")
    );
    assert!(matches!(capabilities::Error::denied("no").into(), Error::PermissionDenied(text) if text == "no"));
    assert!(matches!(capabilities::Error::invalid("bad").into(), Error::Other(text) if text == "bad"));
}

#[tokio::test]
async fn a_client_without_a_route_is_denied_with_what_to_add() {
    let mut world = World::new();
    let Err(Error::PermissionDenied(text)) = world.connect("events").await else { panic!("it was not denied") };
    assert!(text.contains("\"events\"") && text.contains("[messaging]"), "{text}");
}

#[tokio::test]
async fn a_disconnected_client_sends_no_more_and_others_do() {
    let mut world = World::new();
    let client = world.connect("default").await.unwrap();
    let handle = client.rep();
    world.state.disconnect(client).await.unwrap().unwrap();
    let message = world.message("late").await;
    let sent = world.state.send(Resource::new_borrow(handle), "orders".into(), message).await.unwrap();
    assert!(matches!(sent, Err(Error::Connection(_))), "{sent:?}");
    let message = world.message("fine").await;
    world.send("orders", message).await.unwrap();
}

#[tokio::test]
async fn a_message_is_sent_as_it_was_made() {
    let mut world = World::new();
    let mut deliveries = world.subscribe("orders").await;
    let message = world.message("old").await;
    let borrow = || Resource::new_borrow(message.rep());
    assert_eq!(world.state.topic(borrow()).await.unwrap(), None);
    assert_eq!(world.state.metadata(borrow()).await.unwrap(), None);
    let pairs = |pairs: &[(&str, &str)]| pairs.iter().map(|&(k, v)| (k.to_owned(), v.to_owned())).collect::<Vec<_>>();
    world.state.set_content_type(borrow(), "text/plain".into()).await.unwrap();
    world.state.set_data(borrow(), b"new".into()).await.unwrap();
    world.state.set_metadata(borrow(), pairs(&[("a", "1"), ("b", "2"), ("a", "3"), ("c", "4")])).await.unwrap();
    world.state.add_metadata(borrow(), "a".into(), "5".into()).await.unwrap();
    world.state.remove_metadata(borrow(), "b".into()).await.unwrap();
    world.state.add_metadata(borrow(), "d".into(), String::new()).await.unwrap();
    world.send("orders", message).await.unwrap();

    let delivery = next(&mut deliveries).await;
    let sent = delivery.message();
    assert_eq!((sent.data.as_ref(), sent.content_type.as_deref()), (b"new".as_ref(), Some("text/plain")));
    assert_eq!(sent.metadata, pairs(&[("a", "5"), ("c", "4"), ("d", "")]));
    assert_eq!(sent.reply_to, None);
}

#[tokio::test]
async fn what_is_too_large_or_has_no_proper_topic_is_refused() {
    let mut world = World::new();
    let message = world.message(&"x".repeat(1001)).await;
    let Err(Error::Other(text)) = world.send("orders", message).await else { panic!("it was sent") };
    assert!(text.contains("1001") && text.contains("1000") && text.contains("limits.message"), "{text}");
    for topic in [String::new(), "t".repeat(129)] {
        let message = world.message("fits").await;
        assert!(matches!(world.send(&topic, message).await, Err(Error::Other(_))));
    }
}

#[tokio::test]
async fn what_a_component_holds_in_messages_is_bounded() {
    let mut world = World::new();
    let _held = world.message(&"x".repeat(60_000)).await;
    assert!(HostMessage::new(&mut world.state, vec![0; 60_000]).await.is_err());
}

#[tokio::test]
async fn metadata_counts_even_where_it_is_empty() {
    let mut world = World::new();
    let message = world.message("x").await;
    let empty = |count| vec![(String::new(), String::new()); count];
    HostMessage::set_metadata(&mut world.state, Resource::new_borrow(message.rep()), empty(100)).await.unwrap();
    let Err(Error::Other(text)) = world.send("orders", message).await else { panic!("it was sent") };
    assert!(text.contains("limits.message"), "{text}");
    let message = world.message("x").await;
    assert!(HostMessage::set_metadata(&mut world.state, message, empty(10_000)).await.is_err());
}

#[tokio::test]
async fn a_request_gets_its_reply_and_leaves_nothing_behind() {
    let mut world = World::new();
    let answering = world.answer("questions", &["answer"]).await;
    assert_eq!(world.request("questions", None, None).await.unwrap(), ["answer"]);
    assert_eq!(answering.await.unwrap().message().data, "question");
    assert_eq!(world.pending().await, 0);
}

#[tokio::test]
async fn as_many_replies_as_expected_are_waited_for_and_no_more() {
    let mut world = World::new();
    let answering = world.answer("questions", &["a", "b", "c", "d"]).await;
    assert_eq!(world.request("questions", None, Some(3)).await.unwrap(), ["a", "b", "c"]);
    answering.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn fewer_replies_than_expected_are_a_success_at_the_timeout() {
    let mut world = World::new();
    let answering = world.answer("questions", &["only"]).await;
    assert_eq!(world.request("questions", Some(300), Some(2)).await.unwrap(), ["only"]);
    answering.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn no_reply_is_a_timeout() {
    let mut world = World::new();
    assert!(matches!(world.request("questions", Some(20), None).await, Err(Error::Timeout)));
    assert_eq!(world.pending().await, 0);
}

#[tokio::test]
async fn more_replies_than_handles_are_refused_and_none_is_kept() {
    let mut world = World::new();
    let answering = world.answer("questions", &["a"; 100]).await;
    let Err(Error::Other(text)) = world.request("questions", None, Some(u32::MAX)).await else { panic!("all fit") };
    assert!(text.contains("limits.handles"), "{text}");
    answering.await.unwrap();
    for _ in 0..50 {
        world.message("there is room").await;
    }
}

impl World {
    /// How many requests wait at the inbox.
    async fn pending(&self) -> usize {
        let backend = Backend { section: "memory".into(), provider: self.provider.clone() };
        self.state.shared.inboxes.open(&backend).await.unwrap().pending_requests()
    }

    /// A message as the handler gets it.
    fn received(&mut self, delivery: &dyn Delivery) -> Resource<Message> {
        let backend = Backend { section: "memory".into(), provider: self.provider.clone() };
        self.state.push(Message::received(delivery.topic().into(), backend, delivery.message().clone())).unwrap()
    }
}

#[tokio::test]
async fn a_received_message_can_be_answered_more_than_once() {
    let mut world = World::new();
    let mut deliveries = world.subscribe("questions").await;
    let mut inbox = world.provider.inbox().await.unwrap();
    let to = ReplyTo { inbox: inbox.address.clone(), correlation: "7".into() };
    let request = capabilities::Message { reply_to: Some(to), ..Default::default() };
    world.provider.publish(&QualifiedName::new("shop-", "questions"), request).await.unwrap();
    let delivery = next(&mut deliveries).await;
    let received = world.received(delivery.as_ref());
    assert_eq!(world.state.topic(Resource::new_borrow(received.rep())).await.unwrap().as_deref(), Some("questions"));
    for text in ["one", "two"] {
        let answer = world.message(text).await;
        world.state.reply(Resource::new_borrow(received.rep()), answer).await.unwrap().unwrap();
        let reply = inbox.replies.next().await.unwrap().unwrap();
        assert_eq!((reply.correlation.as_str(), reply.message.data.as_ref()), ("7", text.as_bytes()));
    }
}

#[tokio::test]
async fn a_reply_to_a_message_without_an_address_does_nothing() {
    let mut world = World::new();
    let (made, answer) = (world.message("made").await, world.message("answer").await);
    world.state.reply(made, answer).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_request_sent_on_carries_no_address() {
    let mut world = World::new();
    let mut deliveries = world.subscribe("elsewhere").await;
    let to = ReplyTo { inbox: "inbox".into(), correlation: "7".into() };
    let backend = Backend { section: "memory".into(), provider: world.provider.clone() };
    let content = capabilities::Message { reply_to: Some(to), ..Default::default() };
    let received = world.state.push(Message::received("questions".into(), backend, content)).unwrap();
    world.send("elsewhere", received).await.unwrap();
    assert_eq!(next(&mut deliveries).await.message().reply_to, None);
}

/// A provider whose first inbox closes at once.
struct Closing(Arc<dyn Messaging>, std::sync::atomic::AtomicBool);

#[async_trait]
impl Messaging for Closing {
    async fn publish(&self, topic: &QualifiedName, message: capabilities::Message) -> Result<()> {
        self.0.publish(topic, message).await
    }
    async fn subscribe(&self, subscription: capabilities::Subscription) -> Result<Deliveries> {
        self.0.subscribe(subscription).await
    }
    async fn create_group(&self, topic: &QualifiedName, group: &str) -> Result<()> {
        self.0.create_group(topic, group).await
    }
    async fn delete_group(&self, topic: &QualifiedName, group: &str) -> Result<()> {
        self.0.delete_group(topic, group).await
    }
    async fn inbox(&self) -> Result<Inbox> {
        let inbox = self.0.inbox().await?;
        let first = !self.1.swap(true, std::sync::atomic::Ordering::Relaxed);
        Ok(if first { Inbox { replies: futures_util::stream::empty().boxed(), ..inbox } } else { inbox })
    }
    async fn reply(&self, to: &ReplyTo, message: capabilities::Message) -> Result<()> {
        self.0.reply(to, message).await
    }
}

#[tokio::test]
async fn a_closed_inbox_is_a_connection_error_and_the_next_request_opens_another() {
    let mut world = World::on(Arc::new(Closing(Memory::new().messaging().unwrap(), false.into())));
    assert!(matches!(world.request("questions", None, None).await, Err(Error::Connection(_))));
    let answering = world.answer("questions", &["answer"]).await;
    assert_eq!(world.request("questions", None, None).await.unwrap(), ["answer"]);
    answering.await.unwrap();
}
