mod container;
mod copy;
mod download;
mod upload;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use slight_capabilities::{BlobStore, Container, Error, ObjectId, QualifiedName, Result};

use self::container::{AzureContainer, Naming};
use crate::{
    attempts::Lost,
    link::Link,
    location::{self, Location, Required},
    names,
    settings::BlobSettings,
};

pub(crate) use self::upload::MAX_OBJECT_BYTES;

/// Containers of Azure's own that have names of another form.
const SPECIAL: [&str; 3] = ["$root", "$web", "$logs"];

/// All guests' containers in one container of the storage account.
///
/// A guest's container is a directory for its objects, and a blob beside it that says that it is there.
pub(crate) struct Containers {
    pub(crate) location: Arc<Location>,
}

impl Containers {
    pub(crate) fn new(link: Arc<Link>, settings: &BlobSettings) -> Self {
        Self { location: Arc::new(Location::new(link, &settings.location, settings.create)) }
    }

    fn open(&self, name: &QualifiedName) -> AzureContainer {
        AzureContainer { location: self.location.clone(), naming: Naming::of(name) }
    }

    /// The container of an object that is copied, and the blob that the object is.
    async fn find(&self, id: &ObjectId) -> Result<String> {
        self.get(&id.container).await?;
        self.open(&id.container).naming.blob(&id.object)
    }
}

fn missing(name: &str) -> Error {
    Error::not_found(format!("there is no container {name:?}"))
}

#[async_trait]
impl BlobStore for Containers {
    async fn create(&self, name: &QualifiedName) -> Result<Arc<dyn Container>> {
        self.location.prepare().await?;
        let (marker, deadline) = (names::marker(name), self.location.link.deadline());
        match self.location.put(&marker, Bytes::new(), Required::Nothing, Lost::Report, deadline).await {
            Ok(()) => Ok(Arc::new(self.open(name))),
            Err(failure) if failure.is_conflict() => {
                Err(Error::already_exists(format!("there is a container {:?} already", name.name)))
            }
            Err(failure) => Err(self.location.error(failure)),
        }
    }

    async fn get(&self, name: &QualifiedName) -> Result<Arc<dyn Container>> {
        if !self.exists(name).await? {
            return Err(missing(&name.name));
        }
        Ok(Arc::new(self.open(name)))
    }

    async fn existing(&self, name: &str) -> Result<Arc<dyn Container>> {
        let location = Location::new(self.location.link.clone(), name, false);
        // Other names would lead elsewhere than to a container.
        if !(location::is_name(name) || SPECIAL.contains(&name)) || !location.is_there().await? {
            return Err(Error::not_found(format!("there is no container {name:?} in the storage account")));
        }
        Ok(Arc::new(AzureContainer { location: Arc::new(location), naming: Naming::Literal }))
    }

    async fn delete(&self, name: &QualifiedName) -> Result<()> {
        self.location.prepare().await?;
        self.open(name).clear().await?;
        self.location.delete(&names::marker(name)).await
    }

    async fn exists(&self, name: &QualifiedName) -> Result<bool> {
        self.location.prepare().await?;
        self.location.has(&names::marker(name)).await
    }

    async fn copy(&self, source: &ObjectId, destination: &ObjectId) -> Result<()> {
        let from = self.find(source).await?;
        if source == destination {
            return match self.location.has(&from).await? {
                true => Ok(()),
                false => Err(container::no_object(&source.object)),
            };
        }
        let to = self.find(destination).await?;
        copy::copy(&self.location, &from, &to, &source.object).await
    }
}
