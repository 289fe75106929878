use std::sync::Arc;

use slight_capabilities::{self as capabilities, Error, QualifiedName, Result, check_key};

use super::{BlobRoute, Container, IncomingValue, OutgoingValue, about, bindings::blobstore::ObjectId, describe};
use crate::{guard::Call, held::Disk, state::Shared};

/// An object that a copy reads or writes, and the route that leads there.
struct Place<'a> {
    route: &'a BlobRoute,
    /// As the guest calls it.
    container: String,
    object: String,
}

impl Place<'_> {
    fn has_provider_of(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.route.provider.provider, &other.route.provider.provider)
    }

    fn qualified(&self) -> QualifiedName {
        self.route.qualify(&self.container)
    }

    /// Whether both are one object. Prefixes and names of routes may make one container of two names.
    fn is(&self, other: &Self) -> bool {
        let same_container = match (&self.route.existing, &other.route.existing) {
            (None, None) => self.qualified().encoded() == other.qualified().encoded(),
            (Some(location), Some(other)) => location == other,
            _ => false,
        };
        same_container && self.object == other.object && self.has_provider_of(other)
    }

    /// The backend's own copy knows containers by their names, which an existing location has not.
    fn can_be_copied_by_provider(&self, to: &Self) -> bool {
        self.has_provider_of(to) && self.route.existing.is_none() && to.route.existing.is_none()
    }

    fn id(&self) -> capabilities::ObjectId {
        capabilities::ObjectId { container: self.qualified(), object: self.object.clone() }
    }
}

impl Shared {
    fn place(&self, id: ObjectId) -> Result<Place<'_>> {
        let (route, container) = self.find_container(&id.container)?;
        check_key("object name", &id.object)?;
        Ok(Place { route, container: container.to_owned(), object: id.object })
    }

    pub(super) async fn copy_object(self: &Arc<Self>, source: ObjectId, destination: ObjectId) -> Result<()> {
        let (from, to) = (self.place(source)?, self.place(destination)?);
        self.check_container_write(to.route.access, &to.container)?;
        self.copy(&from, &to).await
    }

    pub(super) async fn move_object(self: &Arc<Self>, source: ObjectId, destination: ObjectId) -> Result<()> {
        let (from, to) = (self.place(source)?, self.place(destination)?);
        self.check_container_write(from.route.access, &from.container)?;
        self.check_container_write(to.route.access, &to.container)?;
        self.copy(&from, &to).await?;
        if from.is(&to) {
            return Ok(());
        }
        self.remove(&from).await.map_err(|error| {
            let source = describe(&from.container, &from.object);
            let sentence = format!("{source} was copied but not removed: {error}");
            Error::new(error.kind(), sentence)
        })
    }

    async fn remove(&self, place: &Place<'_>) -> Result<()> {
        let container = self.open_container(&place.container).await?;
        self.delete_objects(&container, std::slice::from_ref(&place.object)).await
    }

    async fn copy(self: &Arc<Self>, from: &Place<'_>, to: &Place<'_>) -> Result<()> {
        if from.is(to) {
            let container = self.open_container(&from.container).await?;
            return self.stat(&container, &from.object).await.map(|_| ());
        }
        if !from.can_be_copied_by_provider(to) {
            return self.copy_through(from, to).await;
        }
        let backend = &from.route.provider;
        let call = Call { section: &backend.section, operation: "blob copy", target: &from.container };
        let copied = self.unhurried(call, backend.provider.copy(&from.id(), &to.id())).await;
        copied.map_err(|error| about(&from.container, &from.object, error))
    }

    /// Copies what no single backend can: the host reads and writes, as a guest would.
    async fn copy_through(self: &Arc<Self>, from: &Place<'_>, to: &Place<'_>) -> Result<()> {
        let source = self.open_container(&from.container).await?;
        let destination = self.open_container(&to.container).await?;
        self.stream(source, from.object.clone(), destination, to.object.clone()).await
    }

    async fn stream(
        self: &Arc<Self>,
        source: Container,
        object: String,
        destination: Container,
        new_object: String,
    ) -> Result<()> {
        let value = IncomingValue::open(self, source, object, capabilities::ByteRange::ALL).await?;
        let mut chunks = value.into_chunks();
        // Dropped on the way out of any error, it leaves nothing behind.
        // Its target is known before anything is written: no disk is needed.
        let copy = OutgoingValue::new(&self.limits, Disk::default());
        copy.write_to(self, destination, new_object).await?;
        while let Some(chunk) = chunks.next().await? {
            copy.pipe().wait_for_room().await;
            if copy.pipe().room().is_err() {
                break;
            }
            copy.pipe().push(chunk);
        }
        copy.finish().await
    }
}
