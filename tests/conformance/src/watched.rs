//! A provider whose calls are kept track of.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use slight_capabilities::{
    Blob, BlobStore, Bucket, ByteRange, ByteStream, Capability, Connect, Container, ContainerInfo, Cursor, Deliveries,
    Delivery, Entry, Inbox, KeyValue, Message, Messaging, ObjectId, ObjectInfo, Outcome, Page, Provider, QualifiedName,
    Readiness, ReplyTo, Result, Subscription, Version,
};

use crate::calls::Calls;

/// Something of a provider, and the calls to it.
pub(crate) struct Watched<T: ?Sized> {
    inner: Arc<T>,
    calls: Arc<Calls>,
}

impl<T: ?Sized> Watched<T> {
    pub(crate) fn new(inner: Arc<T>, calls: &Arc<Calls>) -> Arc<Self> {
        Arc::new(Self { inner, calls: calls.clone() })
    }
}

#[async_trait]
impl Provider for Watched<dyn Provider> {
    fn key_value(&self) -> Option<Arc<dyn KeyValue>> {
        Some(Watched::new(self.inner.key_value()?, &self.calls))
    }

    fn blob(&self) -> Option<Arc<dyn BlobStore>> {
        Some(Watched::new(self.inner.blob()?, &self.calls))
    }

    fn messaging(&self) -> Option<Arc<dyn Messaging>> {
        Some(Watched::new(self.inner.messaging()?, &self.calls))
    }

    fn connects(&self) -> Connect {
        self.inner.connects()
    }

    async fn prepare(&self, capability: Capability) -> Result<()> {
        self.calls.call(format!("prepare {capability}"), self.inner.prepare(capability)).await
    }

    async fn inspect(&self, capability: Capability) -> Result<Readiness> {
        self.calls.call(format!("inspect {capability}"), self.inner.inspect(capability)).await
    }

    async fn ping(&self) -> Result<()> {
        self.calls.call("ping", self.inner.ping()).await
    }
}

#[async_trait]
impl KeyValue for Watched<dyn KeyValue> {
    async fn open(&self, bucket: &QualifiedName) -> Result<Arc<dyn Bucket>> {
        let opened = self.calls.call(format!("open {bucket:?}"), self.inner.open(bucket)).await?;
        Ok(Watched::new(opened, &self.calls))
    }

    fn reads_at_once(&self) -> bool {
        self.inner.reads_at_once()
    }
}

#[async_trait]
impl Bucket for Watched<dyn Bucket> {
    async fn get(&self, key: &str) -> Result<Option<Entry>> {
        self.calls.call(format!("get {key:?}"), self.inner.get(key)).await
    }

    fn get_at_once(&self, key: &str) -> Result<Option<Bytes>> {
        self.inner.get_at_once(key)
    }

    async fn set(&self, key: &str, value: Bytes) -> Result<()> {
        let what = format!("set {key:?} to {} bytes", value.len());
        self.calls.call(what, self.inner.set(key, value)).await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        self.calls.call(format!("delete {key:?}"), self.inner.delete(key)).await
    }

    async fn exists(&self, key: &str) -> Result<bool> {
        self.calls.call(format!("exists {key:?}"), self.inner.exists(key)).await
    }

    async fn keys(&self, cursor: Option<&Cursor>) -> Result<Page<String>> {
        self.calls.call(format!("keys from {cursor:?}"), self.inner.keys(cursor)).await
    }

    async fn swap(&self, key: &str, expected: Option<&Version>, value: Bytes) -> Result<()> {
        let what = format!("swap {key:?} for {} bytes", value.len());
        self.calls.call(what, self.inner.swap(key, expected, value)).await
    }

    async fn increment(&self, key: &str, delta: i64) -> Result<i64> {
        self.calls.call(format!("increment {key:?} by {delta}"), self.inner.increment(key, delta)).await
    }

    async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Bytes>>> {
        self.calls.call(format!("get_many of {} keys", keys.len()), self.inner.get_many(keys)).await
    }

    async fn set_many(&self, entries: Vec<(String, Bytes)>) -> Result<()> {
        self.calls.call(format!("set_many of {} entries", entries.len()), self.inner.set_many(entries)).await
    }

    async fn delete_many(&self, keys: &[String]) -> Result<()> {
        self.calls.call(format!("delete_many of {} keys", keys.len()), self.inner.delete_many(keys)).await
    }
}

#[async_trait]
impl BlobStore for Watched<dyn BlobStore> {
    async fn create(&self, container: &QualifiedName) -> Result<Arc<dyn Container>> {
        let created = self.calls.call(format!("create {container:?}"), self.inner.create(container)).await?;
        Ok(Watched::new(created, &self.calls))
    }

    async fn get(&self, container: &QualifiedName) -> Result<Arc<dyn Container>> {
        let got = self.calls.call(format!("get {container:?}"), self.inner.get(container)).await?;
        Ok(Watched::new(got, &self.calls))
    }

    async fn existing(&self, location: &str) -> Result<Arc<dyn Container>> {
        let opened = self.calls.call(format!("existing {location:?}"), self.inner.existing(location)).await?;
        Ok(Watched::new(opened, &self.calls))
    }

    async fn delete(&self, container: &QualifiedName) -> Result<()> {
        self.calls.call(format!("delete {container:?}"), self.inner.delete(container)).await
    }

    async fn exists(&self, container: &QualifiedName) -> Result<bool> {
        self.calls.call(format!("exists {container:?}"), self.inner.exists(container)).await
    }

    async fn copy(&self, source: &ObjectId, destination: &ObjectId) -> Result<()> {
        let what = format!("copy {source:?} to {destination:?}");
        self.calls.call(what, self.inner.copy(source, destination)).await
    }
}

#[async_trait]
impl Container for Watched<dyn Container> {
    async fn info(&self) -> Result<ContainerInfo> {
        self.calls.call("info", self.inner.info()).await
    }

    async fn read(&self, object: &str, range: ByteRange) -> Result<Blob> {
        self.calls.call(format!("read {object:?}, {range:?}"), self.inner.read(object, range)).await
    }

    async fn write(&self, object: &str, body: ByteStream) -> Result<()> {
        self.calls.call(format!("write {object:?}"), self.inner.write(object, body)).await
    }

    async fn stat(&self, object: &str) -> Result<ObjectInfo> {
        self.calls.call(format!("stat {object:?}"), self.inner.stat(object)).await
    }

    async fn list(&self, cursor: Option<&Cursor>) -> Result<Page<String>> {
        self.calls.call(format!("list from {cursor:?}"), self.inner.list(cursor)).await
    }

    async fn delete(&self, objects: &[String]) -> Result<()> {
        let first = objects.first();
        let what = format!("delete {} objects, the first of which is {first:?}", objects.len());
        self.calls.call(what, self.inner.delete(objects)).await
    }

    async fn clear(&self) -> Result<()> {
        self.calls.call("clear", self.inner.clear()).await
    }
}

#[async_trait]
impl Messaging for Watched<dyn Messaging> {
    async fn publish(&self, topic: &QualifiedName, message: Message) -> Result<()> {
        let what = format!("publish {} bytes to {topic:?}", message.size());
        self.calls.call(what, self.inner.publish(topic, message)).await
    }

    async fn subscribe(&self, subscription: Subscription) -> Result<Deliveries> {
        let what = format!("subscribe group {:?} to {:?}", subscription.group, subscription.topics);
        let deliveries = self.calls.call(what, self.inner.subscribe(subscription)).await?;
        let calls = self.calls.clone();
        let watched = move |inner| Box::new(WatchedDelivery { inner, calls: calls.clone() }) as Box<dyn Delivery>;
        Ok(Box::pin(deliveries.map(move |delivery| delivery.map(&watched))))
    }

    async fn create_group(&self, topic: &QualifiedName, group: &str) -> Result<()> {
        let what = format!("create_group {group:?} of {topic:?}");
        self.calls.call(what, self.inner.create_group(topic, group)).await
    }

    async fn delete_group(&self, topic: &QualifiedName, group: &str) -> Result<()> {
        let what = format!("delete_group {group:?} of {topic:?}");
        self.calls.call(what, self.inner.delete_group(topic, group)).await
    }

    async fn inbox(&self) -> Result<Inbox> {
        self.calls.call("inbox", self.inner.inbox()).await
    }

    async fn reply(&self, to: &ReplyTo, message: Message) -> Result<()> {
        self.calls.call(format!("reply to {to:?}"), self.inner.reply(to, message)).await
    }
}

struct WatchedDelivery {
    inner: Box<dyn Delivery>,
    calls: Arc<Calls>,
}

#[async_trait]
impl Delivery for WatchedDelivery {
    fn topic(&self) -> &str {
        self.inner.topic()
    }

    fn message(&self) -> &Message {
        self.inner.message()
    }

    fn count(&self) -> u32 {
        self.inner.count()
    }

    async fn extend(&mut self) -> Result<()> {
        self.calls.call("extend", self.inner.extend()).await
    }

    async fn settle(self: Box<Self>, outcome: Outcome) -> Result<()> {
        self.calls.call(format!("settle with {outcome:?}"), self.inner.settle(outcome)).await
    }
}
