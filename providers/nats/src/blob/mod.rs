mod container;
mod download;
mod mark;
mod meta;
mod names;
mod pipeline;
mod sweep;
mod upload;

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use async_nats::jetstream::stream::Config;
use async_trait::async_trait;
use slight_capabilities::{BlobStore, ByteRange, Container, Error, ObjectId, QualifiedName, Result};

use self::{container::NatsContainer, names::Subjects};
use crate::{call::unique, link::Link, location::config, settings::BlobSettings, stream::Stream};

/// All containers of a location: an object store of NATS each.
pub(crate) struct Containers {
    link: Link,
    settings: BlobSettings,
    swept: AtomicBool,
}

impl Containers {
    pub(crate) fn new(link: &Link, settings: BlobSettings) -> Self {
        Self { link: link.clone(), settings, swept: AtomicBool::new(false) }
    }

    /// There is nothing to make: a location is what object stores begin with. What is left of uploads is removed, once.
    pub(crate) fn prepare(&self) {
        if !self.swept.swap(true, Ordering::Relaxed) {
            let (link, location) = (self.link.clone(), self.settings.location.clone());
            tokio::spawn(async move { sweep::sweep(&link, &location).await });
        }
    }

    fn container(&self, name: &QualifiedName) -> NatsContainer {
        self.prepare();
        NatsContainer::own(&self.link, &names::bucket(&self.settings.location, name))
    }

    async fn found(&self, name: &QualifiedName) -> Result<NatsContainer> {
        let container = self.container(name);
        match container.stream.info().await? {
            Some(_) => Ok(container),
            None => Err(Error::not_found(format!("there is no container {:?}", name.name))),
        }
    }
}

impl NatsContainer {
    /// A container of ours.
    fn own(link: &Link, bucket: &str) -> Self {
        let subjects = Arc::new(Subjects::new(bucket));
        Self { stream: Stream::new(link, names::stream(bucket)), bucket: bucket.to_owned(), subjects, marks: true }
    }
}

#[async_trait]
impl BlobStore for Containers {
    async fn create(&self, name: &QualifiedName) -> Result<Arc<dyn Container>> {
        let container = self.container(name);
        let BlobSettings { replicas, storage, max_bytes, .. } = self.settings;
        // The server takes a stream that is asked for twice for the same one, unless there is something to tell the two
        // apart. The name that it stands for may not be in its own.
        let metadata =
            [("slight-container", name.name.clone()), ("slight-prefix", name.prefix.clone()), ("slight-id", unique())];
        let config = Config {
            allow_rollup: true,
            metadata: HashMap::from(metadata.map(|(name, value)| (name.to_owned(), value))),
            ..config(container.stream.name.clone(), container.subjects.all(), storage, replicas, max_bytes)
        };
        match container.stream.create(&config).await? {
            Some(_) => Ok(Arc::new(container)),
            None => Err(Error::already_exists(format!("the container {:?} is there already", name.name))),
        }
    }

    async fn get(&self, name: &QualifiedName) -> Result<Arc<dyn Container>> {
        Ok(Arc::new(self.found(name).await?))
    }

    async fn existing(&self, location: &str) -> Result<Arc<dyn Container>> {
        let container = NatsContainer { marks: false, ..NatsContainer::own(&self.link, location) };
        if names::is_bucket(location) && container.stream.info().await?.is_some() {
            return Ok(Arc::new(container));
        }
        Err(Error::not_found(format!("there is no object store {location:?} in NATS")))
    }

    async fn delete(&self, name: &QualifiedName) -> Result<()> {
        self.container(name).stream.delete().await
    }

    async fn exists(&self, name: &QualifiedName) -> Result<bool> {
        Ok(self.container(name).stream.info().await?.is_some())
    }

    async fn copy(&self, source: &ObjectId, destination: &ObjectId) -> Result<()> {
        let from = self.found(&source.container).await?;
        if source == destination {
            return from.find(&source.object).await.map(drop);
        }
        let to = self.found(&destination.container).await?;
        let blob = from.read(&source.object, ByteRange::ALL).await?;
        // The server cannot copy, and two objects cannot share one content: deleting the one would empty the other.
        to.write(&destination.object, blob.body).await
    }
}
