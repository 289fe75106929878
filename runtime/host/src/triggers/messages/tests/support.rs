use std::{pin::pin, sync::Arc, time::Duration};

use futures_util::{StreamExt, future::BoxFuture};
use slight_capabilities as capabilities;
use slight_capabilities::{Delivery, Messaging, Provider, QualifiedName, Route, Routes};
use slight_provider_memory::Memory;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use super::super::{Handler, Subscription, dispatcher::Dispatcher, source::Source};
use crate::{
    Backend, Environment, Limits, Services,
    messaging::{Backoff, Message},
    state::Shared,
};

/// Long enough for anything that happens, for a test that fails.
const LONG: Duration = Duration::from_secs(20);

pub async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LONG, future).await.expect("it did not happen")
}

pub fn message(text: &str) -> capabilities::Message {
    capabilities::Message { data: text.to_owned().into(), ..Default::default() }
}

pub fn text(message: &capabilities::Message) -> &str {
    std::str::from_utf8(&message.data).unwrap()
}

pub fn metadata<'a>(message: &'a capabilities::Message, name: &str) -> Option<&'a str> {
    message.metadata.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

/// A closure in the guest's place.
pub struct Closure {
    places: Arc<Semaphore>,
    handle: Box<dyn Fn(Message) -> BoxFuture<'static, Result<(), String>> + Send + Sync>,
}

impl Closure {
    pub fn new<F>(handle: impl Fn(Message) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        Self { places: Arc::new(Semaphore::new(100)), handle: Box::new(move |message| Box::pin(handle(message))) }
    }

    pub fn with_places(mut self, places: &Arc<Semaphore>) -> Self {
        self.places = places.clone();
        self
    }
}

impl Handler for Closure {
    type Place = OwnedSemaphorePermit;

    async fn admit(&self) -> OwnedSemaphorePermit {
        self.places.clone().acquire_owned().await.unwrap()
    }

    async fn handle(self: Arc<Self>, place: OwnedSemaphorePermit, message: Message) -> Result<(), String> {
        let _place = place;
        (self.handle)(message).await
    }
}

/// Takes every message, and tells of it.
pub fn record() -> (Closure, mpsc::UnboundedReceiver<Message>) {
    tell(|| Ok(()))
}

/// Takes none, and tells of it.
pub fn fail_always() -> (Closure, mpsc::UnboundedReceiver<Message>) {
    tell(|| Err("no stock".to_owned()))
}

pub fn tell(
    result: impl Fn() -> Result<(), String> + Send + Sync + 'static,
) -> (Closure, mpsc::UnboundedReceiver<Message>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let handler = Closure::new(move |message| {
        sender.send(message).unwrap();
        std::future::ready(result())
    });
    (handler, receiver)
}

/// A provider of its own, with a route to it.
pub struct World {
    pub provider: Arc<dyn Messaging>,
    prefix: String,
}

impl World {
    pub fn new() -> Self {
        Self::with_prefix("")
    }

    pub fn with_prefix(prefix: &str) -> Self {
        Self { provider: Memory::new().messaging().unwrap(), prefix: prefix.into() }
    }

    pub fn services(&self) -> Services {
        let backend = Backend { section: "memory".into(), provider: self.provider.clone() };
        let mut messaging = Routes::none();
        messaging.insert("default", Route { prefix: self.prefix.clone(), ..Route::to(backend) });
        Services { messaging, ..Services::default() }
    }

    pub fn shared(&self) -> Arc<Shared> {
        self.shared_within(Limits::default())
    }

    pub fn shared_within(&self, limits: Limits) -> Arc<Shared> {
        Arc::new(Shared::new(self.services(), limits, Environment::default(), 0))
    }

    pub fn subscription(&self, topics: &[&str], group: &str) -> Subscription {
        Subscription {
            client: String::new(),
            topics: topics.iter().map(|&topic| topic.to_owned()).collect(),
            group: group.into(),
            capacity: 4,
            visibility: Duration::from_secs(30),
            max_deliveries: 3,
            dead_letter: None,
        }
    }

    pub fn source(&self, subscription: &Subscription) -> Source {
        Source::new(subscription, &self.services()).unwrap()
    }

    fn topic(&self, name: &str) -> QualifiedName {
        QualifiedName::new(self.prefix.clone(), name)
    }

    pub async fn publish(&self, topic: &str, text: &str) {
        self.provider.publish(&self.topic(topic), message(text)).await.unwrap();
    }

    /// The next message of a group, as another member gets it.
    pub async fn take(&self, topic: &str, group: &str) -> Box<dyn Delivery> {
        let subscription = capabilities::Subscription {
            topics: vec![self.topic(topic)],
            group: group.into(),
            capacity: 1,
            visibility: LONG,
        };
        let deliveries = self.provider.subscribe(subscription).await.unwrap();
        soon(pin!(deliveries).next()).await.unwrap().unwrap()
    }

    /// Runs a subscription, without waits before anything is tried again.
    pub async fn run(&self, subscription: Subscription, handler: Closure) -> Running {
        self.run_with(self.shared(), subscription, handler).await
    }

    /// The same with what else a process has.
    pub async fn run_with(&self, shared: Arc<Shared>, subscription: Subscription, handler: Closure) -> Running {
        let mut dispatcher = Dispatcher::new(self.source(&subscription), shared, Arc::new(handler));
        dispatcher.retries = Backoff::new(Duration::ZERO, Duration::ZERO);
        dispatcher.outage = Backoff::new(Duration::from_millis(1), Duration::from_millis(1));
        dispatcher.connect().await;
        let (stop, abandon) = (CancellationToken::new(), CancellationToken::new());
        let task = tokio::spawn(dispatcher.run(stop.clone(), abandon.clone()));
        Running { stop, abandon, task }
    }
}

pub struct Running {
    pub stop: CancellationToken,
    pub abandon: CancellationToken,
    pub task: JoinHandle<()>,
}

impl Running {
    /// Drains.
    pub async fn stop(self) {
        self.stop.cancel();
        soon(self.task).await.unwrap();
    }
}
