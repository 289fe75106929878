use std::{
    collections::{HashMap, hash_map},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::SystemTime,
};

use async_trait::async_trait;
use parking_lot::RwLock;
use slight_capabilities::{
    Blob, BlobStore, ByteRange, ByteStream, Container, ContainerInfo, Cursor, Error, ObjectId, ObjectInfo, Page,
    QualifiedName, Result,
};

use crate::{object::Object, shards::Shards};

/// All containers, and the locations that stand for data of other programs.
#[derive(Default)]
pub(crate) struct Containers {
    containers: RwLock<HashMap<QualifiedName, Arc<MemoryContainer>>>,
    locations: RwLock<HashMap<String, Arc<MemoryContainer>>>,
}

impl Containers {
    pub(crate) fn create_location(&self, location: &str) {
        let new = || Arc::new(MemoryContainer::new("location", location.into()));
        self.locations.write().entry(location.to_owned()).or_insert_with(new);
    }

    fn find(&self, name: &QualifiedName) -> Result<Arc<MemoryContainer>> {
        let found = self.containers.read().get(name).cloned();
        found.ok_or_else(|| no_container(&name.name))
    }
}

#[async_trait]
impl BlobStore for Containers {
    async fn create(&self, name: &QualifiedName) -> Result<Arc<dyn Container>> {
        match self.containers.write().entry(name.clone()) {
            hash_map::Entry::Occupied(_) => {
                Err(Error::already_exists(format!("there is a container {:?} already", name.name)))
            }
            hash_map::Entry::Vacant(entry) => {
                Ok(entry.insert(Arc::new(MemoryContainer::new("container", name.clone()))).clone())
            }
        }
    }

    async fn get(&self, name: &QualifiedName) -> Result<Arc<dyn Container>> {
        Ok(self.find(name)?)
    }

    async fn existing(&self, location: &str) -> Result<Arc<dyn Container>> {
        match self.locations.read().get(location) {
            Some(container) => Ok(container.clone()),
            None => Err(Error::not_found(format!("there is no location {location:?}"))),
        }
    }

    async fn delete(&self, name: &QualifiedName) -> Result<()> {
        let removed = self.containers.write().remove(name);
        if let Some(container) = removed {
            container.delete_all();
        }
        Ok(())
    }

    async fn exists(&self, name: &QualifiedName) -> Result<bool> {
        Ok(self.containers.read().contains_key(name))
    }

    async fn copy(&self, source: &ObjectId, destination: &ObjectId) -> Result<()> {
        let object = self.find(&source.container)?.object(&source.object)?;
        let to = self.find(&destination.container)?;
        if source == destination {
            return Ok(());
        }
        to.store(&destination.object, object.copied())
    }
}

/// One container. Objects are put in place whole; handles to a deleted container find nothing.
struct MemoryContainer {
    /// Tells the cursors of containers from those of locations.
    kind: &'static str,
    name: QualifiedName,
    created_at: SystemTime,
    deleted: AtomicBool,
    objects: Shards<Object>,
}

impl MemoryContainer {
    fn new(kind: &'static str, name: QualifiedName) -> Self {
        let deleted = AtomicBool::new(false);
        Self { kind, name, created_at: SystemTime::now(), deleted, objects: Shards::default() }
    }

    fn check(&self) -> Result<()> {
        if self.deleted.load(Ordering::Acquire) { Err(no_container(&self.name.name)) } else { Ok(()) }
    }

    fn object(&self, name: &str) -> Result<Object> {
        self.check()?;
        let missing = || Error::not_found(format!("there is no object {name:?} in container {:?}", self.name.name));
        self.objects.get(name).ok_or_else(missing)
    }

    fn store(&self, name: &str, object: Object) -> Result<()> {
        let mut objects = self.objects.lock(name);
        // Under the lock: either this sees the deletion, or the deletion sees the object.
        self.check()?;
        objects.insert(name.to_owned(), object);
        Ok(())
    }

    fn delete_all(&self) {
        self.deleted.store(true, Ordering::Release);
        self.objects.clear();
    }
}

#[async_trait]
impl Container for MemoryContainer {
    async fn info(&self) -> Result<ContainerInfo> {
        self.check()?;
        Ok(ContainerInfo { created_at: self.created_at })
    }

    async fn read(&self, object: &str, range: ByteRange) -> Result<Blob> {
        Ok(self.object(object)?.read(range))
    }

    async fn write(&self, object: &str, body: ByteStream) -> Result<()> {
        self.check()?;
        let received = Object::receive(body).await?;
        self.store(object, received)
    }

    async fn stat(&self, object: &str) -> Result<ObjectInfo> {
        Ok(self.object(object)?.info())
    }

    async fn list(&self, cursor: Option<&Cursor>) -> Result<Page<String>> {
        self.check()?;
        self.objects.page(&["memory", self.kind, &self.name.prefix, &self.name.name], cursor)
    }

    async fn delete(&self, objects: &[String]) -> Result<()> {
        self.check()?;
        for object in objects {
            self.objects.remove(object);
        }
        Ok(())
    }

    async fn clear(&self) -> Result<()> {
        self.check()?;
        self.objects.clear();
        Ok(())
    }
}

fn no_container(name: &str) -> Error {
    Error::not_found(format!("there is no container {name:?}"))
}
