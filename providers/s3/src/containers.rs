use std::{collections::BTreeSet, sync::Arc, time::SystemTime};

use async_trait::async_trait;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use slight_capabilities::{BlobStore, Container, Error, ObjectId, QualifiedName, Result};

use crate::{
    container::{S3Container, no_object},
    copying::copy,
    errors::{self, Effect},
    listing::Listing,
    location::Location,
    names::{MARKER, Naming, directory_of},
    removal::remove,
    store::{Store, ask, ask_once, once},
};

/// All containers below one location.
pub(crate) struct Containers {
    store: Arc<Store>,
    part_size: usize,
}

impl Containers {
    pub(crate) fn new(store: Arc<Store>, part_size: usize) -> Self {
        Self { store, part_size }
    }

    fn named(&self, name: &QualifiedName) -> S3Container {
        S3Container {
            store: self.store.clone(),
            name: name.name.clone(),
            directory: self.store.location.key(&directory_of(name)),
            naming: Naming::Encoded,
            part_size: self.part_size,
        }
    }

    /// The container, if it is there.
    async fn found(&self, name: &QualifiedName) -> Result<S3Container> {
        self.store.ready(self.store.deadline()).await?;
        let container = self.named(name);
        created_at(&self.store, &container).await?;
        Ok(container)
    }
}

/// What is known of an object; `None` if it is missing.
pub(crate) async fn head(store: &Store, key: &str) -> Result<Option<HeadObjectOutput>> {
    let head = store.client.head_object().bucket(store.bucket()).key(key);
    match ask(store.deadline(), head.send()).await {
        Ok(head) => Ok(Some(head)),
        Err(failure) if failure.is_missing() => Ok(None),
        Err(failure) => Err(store.error(failure, Effect::None)),
    }
}

/// When a container was created: the time of its marker. `NotFound` without one.
pub(crate) async fn created_at(store: &Store, container: &S3Container) -> Result<SystemTime> {
    let marker = head(store, &container.marker()).await?;
    let marker = marker.ok_or_else(|| no_container(&container.name))?;
    time(marker.last_modified)
}

pub(crate) fn time(time: Option<aws_sdk_s3::primitives::DateTime>) -> Result<SystemTime> {
    time.and_then(|time| SystemTime::try_from(time).ok()).ok_or_else(errors::odd)
}

fn no_container(name: &str) -> Error {
    Error::not_found(format!("there is no container {name:?}"))
}

#[async_trait]
impl BlobStore for Containers {
    async fn create(&self, name: &QualifiedName) -> Result<Arc<dyn Container>> {
        let (store, container) = (&self.store, self.named(name));
        let deadline = store.deadline();
        store.ready(deadline).await?;
        // Once: a second request would find what the first has made.
        let made = ask_once(deadline, || {
            let put = store.client.put_object().bucket(store.bucket()).key(container.marker()).if_none_match("*");
            put.customize().config_override(once()).send()
        });
        match made.await {
            Ok(_) => Ok(Arc::new(container)),
            Err(failure) if failure.is_conflict() => {
                Err(Error::already_exists(format!("there is a container {:?} already", name.name)))
            }
            Err(failure) => Err(store.error(failure, Effect::Once)),
        }
    }

    async fn get(&self, name: &QualifiedName) -> Result<Arc<dyn Container>> {
        Ok(Arc::new(self.found(name).await?))
    }

    async fn existing(&self, location: &str) -> Result<Arc<dyn Container>> {
        let missing = || Error::not_found(format!("there is no S3 bucket for the location {location:?}"));
        let store = Arc::new(self.store.at(Location::existing(location).ok_or_else(missing)?, false));
        store.check().await.map_err(|failure| {
            let not_there = failure.is_no_bucket();
            let error = store.error(failure, Effect::None);
            if not_there { missing().with_source(error) } else { error }
        })?;
        Ok(Arc::new(S3Container {
            name: location.to_owned(),
            directory: store.location.prefix.clone(),
            store,
            naming: Naming::Literal,
            part_size: self.part_size,
        }))
    }

    async fn delete(&self, name: &QualifiedName) -> Result<()> {
        self.store.ready(self.store.deadline()).await?;
        let container = self.named(name);
        // All keys but the marker, also such as another program has put there.
        let name = |key: &str| Some(key.to_owned()).filter(|key| key != MARKER);
        let directory = &container.directory;
        let listing = Listing { store: &self.store, prefix: directory, capability: "blob", name: &name };
        loop {
            let page = listing.page(None).await?;
            if page.items.is_empty() {
                break;
            }
            let keys = page.items.iter().map(|key| format!("{directory}{key}")).collect();
            remove(&self.store, keys).await?;
            if page.next.is_none() {
                break;
            }
        }
        remove(&self.store, BTreeSet::from([container.marker()])).await
    }

    async fn exists(&self, name: &QualifiedName) -> Result<bool> {
        self.store.ready(self.store.deadline()).await?;
        Ok(head(&self.store, &self.named(name).marker()).await?.is_some())
    }

    async fn copy(&self, source: &ObjectId, destination: &ObjectId) -> Result<()> {
        let from = self.found(&source.container).await?;
        let to = match source.container == destination.container {
            true => self.named(&destination.container),
            false => self.found(&destination.container).await?,
        };
        let key = from.key(&source.object);
        let object = head(&self.store, &key).await?;
        let object = object.ok_or_else(|| no_object(&source.object, &source.container.name))?;
        if source == destination {
            return Ok(());
        }
        copy(&self.store, &key, object, &to.key(&destination.object)).await
    }
}
