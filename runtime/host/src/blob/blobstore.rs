use slight_capabilities::{Error, ErrorKind, Result};
use wasmtime::component::Resource;

use super::{
    Answer, BlobRoute, Container,
    bindings::{
        blobstore::{Host, ObjectId},
        container,
    },
    sentence,
};
use crate::{
    guard::Call,
    state::{Shared, State},
};

impl Host for State {
    async fn create_container(&mut self, name: String) -> Answer<Resource<Container>> {
        let created = self.shared.create_container(&name).await.and_then(|container| self.push(container));
        Ok(created.map_err(sentence))
    }

    async fn get_container(&mut self, name: String) -> Answer<Resource<Container>> {
        let opened = self.shared.open_container(&name).await.and_then(|container| self.push(container));
        Ok(opened.map_err(sentence))
    }

    async fn delete_container(&mut self, name: String) -> Answer<()> {
        Ok(self.shared.delete_container(&name).await.map_err(sentence))
    }

    async fn container_exists(&mut self, name: String) -> Answer<bool> {
        Ok(self.shared.container_exists(&name).await.map_err(sentence))
    }

    async fn copy_object(&mut self, src: ObjectId, dest: ObjectId) -> Answer<()> {
        Ok(self.shared.copy_object(src, dest).await.map_err(sentence))
    }

    async fn move_object(&mut self, src: ObjectId, dest: ObjectId) -> Answer<()> {
        Ok(self.shared.move_object(src, dest).await.map_err(sentence))
    }
}

impl container::Host for State {}

impl Shared {
    async fn create_container(&self, name: &str) -> Result<Container> {
        let (route, name) = self.find_container(name)?;
        self.check_container_write(route.access, name)?;
        self.denials.note(check_owned(route, "created", name))?;
        let backend = &route.provider;
        let call = Call { section: &backend.section, operation: "blob create-container", target: name };
        let container = self.guarded(call, backend.provider.create(&route.qualify(name))).await?;
        Ok(Container::new(container, route, name))
    }

    async fn delete_container(&self, name: &str) -> Result<()> {
        let (route, name) = self.find_container(name)?;
        self.check_container_write(route.access, name)?;
        self.denials.note(check_owned(route, "deleted", name))?;
        let backend = &route.provider;
        let call = Call { section: &backend.section, operation: "blob delete-container", target: name };
        self.unhurried(call, backend.provider.delete(&route.qualify(name))).await
    }

    async fn container_exists(&self, name: &str) -> Result<bool> {
        let (route, name) = self.find_container(name)?;
        if route.existing.is_some() {
            return match self.open_container(name).await {
                Ok(_) => Ok(true),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
                Err(error) => Err(error),
            };
        }
        let backend = &route.provider;
        let call = Call { section: &backend.section, operation: "blob container-exists", target: name };
        self.guarded(call, backend.provider.exists(&route.qualify(name))).await
    }
}

/// A location that other programs made is not the guest's to make or remove.
fn check_owned(route: &BlobRoute, done: &str, container: &str) -> Result<()> {
    if route.existing.is_none() {
        return Ok(());
    }
    Err(Error::denied(format!(
        "the route of the container {container:?} leads to an existing location (existing = true), which cannot be \
         {done} from here"
    )))
}
