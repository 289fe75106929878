use std::{sync::Arc, time::SystemTime};

use async_trait::async_trait;
use slight_capabilities::{
    Blob, ByteRange, ByteStream, Container, ContainerInfo, Cursor, Error, ObjectInfo, Page, Result,
};

use crate::{
    containers::{created_at, head, time},
    errors::{self, Effect},
    listing::Listing,
    names::{MARKER, Naming},
    reading,
    removal::remove,
    store::{Store, ask},
    upload,
};

/// A container: the objects whose keys begin with its directory.
pub(crate) struct S3Container {
    pub(crate) store: Arc<Store>,
    /// As the guest said it, for messages.
    pub(crate) name: String,
    pub(crate) directory: String,
    pub(crate) naming: Naming,
    pub(crate) part_size: usize,
}

impl S3Container {
    pub(crate) fn key(&self, object: &str) -> String {
        format!("{}{}", self.directory, self.naming.write(object))
    }

    pub(crate) fn marker(&self) -> String {
        format!("{}{MARKER}", self.directory)
    }

    /// A bucket tells of its own creation only in the list of all.
    async fn bucket_created_at(&self) -> Result<SystemTime> {
        let list = self.store.client.list_buckets().prefix(self.store.bucket());
        let answer = ask(self.store.deadline(), list.send()).await;
        let answer = answer.map_err(|failure| self.store.error(failure, Effect::None))?;
        let bucket = answer.buckets().iter().find(|bucket| bucket.name() == Some(self.store.bucket()));
        time(bucket.and_then(|bucket| bucket.creation_date))
    }
}

pub(crate) fn no_object(object: &str, container: &str) -> Error {
    Error::not_found(format!("there is no object {object:?} in container {container:?}"))
}

#[async_trait]
impl Container for S3Container {
    async fn info(&self) -> Result<ContainerInfo> {
        let created_at = match self.naming {
            Naming::Encoded => created_at(&self.store, self).await?,
            Naming::Literal => self.bucket_created_at().await?,
        };
        Ok(ContainerInfo { created_at })
    }

    async fn read(&self, object: &str, range: ByteRange) -> Result<Blob> {
        match reading::open(&self.store, &self.key(object), range).await {
            Err(failure) if failure.is_missing() => Err(no_object(object, &self.name)),
            opened => opened.map_err(|failure| self.store.error(failure, Effect::None)),
        }
    }

    async fn write(&self, object: &str, body: ByteStream) -> Result<()> {
        self.store.ready(self.store.deadline()).await?;
        upload::write(self.store.clone(), self.key(object), self.part_size, body).await
    }

    async fn stat(&self, object: &str) -> Result<ObjectInfo> {
        let head = head(&self.store, &self.key(object)).await?;
        let head = head.ok_or_else(|| no_object(object, &self.name))?;
        let size = head.content_length.and_then(|size| u64::try_from(size).ok()).ok_or_else(errors::odd)?;
        Ok(ObjectInfo { size, created_at: time(head.last_modified)? })
    }

    async fn list(&self, cursor: Option<&Cursor>) -> Result<Page<String>> {
        self.store.ready(self.store.deadline()).await?;
        let name = |key: &str| self.naming.read(key);
        let listing = Listing { store: &self.store, prefix: &self.directory, capability: "blob", name: &name };
        listing.page(cursor).await
    }

    async fn delete(&self, objects: &[String]) -> Result<()> {
        remove(&self.store, objects.iter().map(|object| self.key(object)).collect()).await
    }
}
