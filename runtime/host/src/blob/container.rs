use slight_capabilities::{ByteRange, ErrorKind, ObjectInfo, Result, check_key};
use wasmtime::component::Resource;

use super::{
    Answer, Container, IncomingValue, ObjectNames, OutgoingValue,
    bindings::{
        container::HostContainer,
        types::{ContainerMetadata, ObjectMetadata},
    },
    sentence, timestamp,
};
use crate::{
    slices::{Slices, check_each},
    state::{Shared, State},
};

/// How many objects one call to a provider removes, so that the time limit is on this many and not on all.
const DELETE_BATCH: usize = 1000;

impl HostContainer for State {
    async fn name(&mut self, container: Resource<Container>) -> Answer<String> {
        Ok(Ok(self.table.get(&container)?.name.to_string()))
    }

    async fn info(&mut self, container: Resource<Container>) -> Answer<ContainerMetadata> {
        let container = self.table.get(&container)?;
        let info = self.shared.guarded(container.call("blob info"), container.container.info()).await;
        Ok(info
            .map_err(sentence)
            .map(|info| ContainerMetadata { name: container.name.to_string(), created_at: timestamp(info.created_at) }))
    }

    async fn get_data(
        &mut self,
        container: Resource<Container>,
        name: String,
        start: u64,
        end: u64,
    ) -> Answer<Resource<IncomingValue>> {
        let container = self.table.get(&container)?.clone();
        let value = IncomingValue::open(&self.shared, container, name, ByteRange { start, end }).await;
        Ok(value.and_then(|value| self.push(value)).map_err(sentence))
    }

    async fn write_data(
        &mut self,
        container: Resource<Container>,
        name: String,
        data: Resource<OutgoingValue>,
    ) -> Answer<()> {
        let container = self.table.get(&container)?.clone();
        let value = self.table.get(&data)?;
        Ok(value.write_to(&self.shared, container, name).await.map_err(sentence))
    }

    async fn list_objects(&mut self, container: Resource<Container>) -> Answer<Resource<ObjectNames>> {
        let container = self.table.get(&container)?.clone();
        Ok(self.push(ObjectNames::new(container)).map_err(sentence))
    }

    async fn delete_object(&mut self, container: Resource<Container>, name: String) -> Answer<()> {
        let container = self.table.get(&container)?;
        Ok(self.shared.delete_objects(container, &[name]).await.map_err(sentence))
    }

    async fn delete_objects(&mut self, container: Resource<Container>, names: Vec<String>) -> Answer<()> {
        let container = self.table.get(&container)?;
        Ok(self.shared.delete_objects(container, &names).await.map_err(sentence))
    }

    async fn has_object(&mut self, container: Resource<Container>, name: String) -> Answer<bool> {
        let container = self.table.get(&container)?;
        Ok(match self.shared.stat(container, &name).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(sentence(error)),
        })
    }

    async fn object_info(&mut self, container: Resource<Container>, name: String) -> Answer<ObjectMetadata> {
        let container = self.table.get(&container)?;
        let info = self.shared.stat(container, &name).await;
        Ok(info.map_err(sentence).map(|info| ObjectMetadata {
            name,
            container: container.name.to_string(),
            created_at: timestamp(info.created_at),
            size: info.size,
        }))
    }

    async fn clear(&mut self, container: Resource<Container>) -> Answer<()> {
        let container = self.table.get(&container)?;
        Ok(self.shared.clear(container).await.map_err(sentence))
    }

    async fn drop(&mut self, container: Resource<Container>) -> wasmtime::Result<()> {
        self.table.delete(container)?;
        Ok(())
    }
}

impl Shared {
    pub(super) async fn stat(&self, container: &Container, object: &str) -> Result<ObjectInfo> {
        self.on_object(container, "blob stat", object, container.container.stat(object)).await
    }

    pub(super) async fn delete_objects(&self, container: &Container, objects: &[String]) -> Result<()> {
        self.check_container_write(container.access, &container.name)?;
        check_each(objects, |object| check_key("object name", object)).await?;
        let mut slices = Slices::begin();
        for batch in objects.chunks(DELETE_BATCH) {
            slices.pause().await;
            self.guarded(container.call("blob delete"), container.container.delete(batch)).await?;
        }
        Ok(())
    }

    /// In one call, since some backends remove everything far faster than object by object.
    async fn clear(&self, container: &Container) -> Result<()> {
        self.check_container_write(container.access, &container.name)?;
        self.unhurried(container.call("blob clear"), container.container.clear()).await
    }
}
