use std::{sync::Arc, time::SystemTime};

use async_trait::async_trait;
use azure_storage_blob::models::{BlobClientGetPropertiesResultHeaders, BlobContainerClientGetPropertiesResultHeaders};
use futures_util::{StreamExt, TryStreamExt, stream};
use slight_capabilities::{
    Blob, ByteRange, ByteStream, Container, ContainerInfo, Cursor, Error, ObjectInfo, Page, QualifiedName, Result,
};

use super::{download, missing, upload};
use crate::{attempts::Lost, listing, location::Location, names};

/// How many objects of one call are removed at a time.
const AT_ONCE: usize = 16;

/// How the objects of a container are named in Azure.
pub(super) enum Naming {
    /// In a directory of a container that others share; the container is there as long as its marker is.
    Directory { name: String, directory: String, marker: String },
    /// As they are: in a container of other programs.
    Literal,
}

impl Naming {
    pub(super) fn of(name: &QualifiedName) -> Self {
        Self::Directory { name: name.name.clone(), directory: names::directory(name), marker: names::marker(name) }
    }

    /// The blob that an object is.
    pub(super) fn blob(&self, object: &str) -> Result<String> {
        match self {
            Self::Directory { directory, .. } => Ok(format!("{directory}{}", names::write(object))),
            // In a URL these are no names, but directions.
            Self::Literal if object.split('/').any(|part| matches!(part, "." | "..")) => {
                Err(Error::invalid(format!("Azure has no blobs of names like {object:?}")))
            }
            Self::Literal => Ok(object.to_owned()),
        }
    }

    fn prefix(&self) -> &str {
        match self {
            Self::Directory { directory, .. } => directory,
            Self::Literal => "",
        }
    }

    fn read(&self) -> fn(&str) -> Option<String> {
        match self {
            Self::Directory { .. } => names::read,
            Self::Literal => |name| Some(name.to_owned()),
        }
    }
}

pub(super) fn no_object(object: &str) -> Error {
    Error::not_found(format!("there is no object {object:?} in the container"))
}

pub(super) struct AzureContainer {
    pub(super) location: Arc<Location>,
    pub(super) naming: Naming,
}

/// Azure tells the time of every blob and container.
fn time<Time: Into<SystemTime>>(time: azure_core::Result<Option<Time>>) -> Result<SystemTime> {
    time.ok().flatten().map(Into::into).ok_or_else(|| Error::other("Azure told no time of what was asked for"))
}

#[async_trait]
impl Container for AzureContainer {
    async fn info(&self) -> Result<ContainerInfo> {
        let created_at = match &self.naming {
            Naming::Directory { name, marker, .. } => {
                let blob = self.location.blob(marker);
                match self.location.ask(Lost::SendAgain, || blob.get_properties(None)).await {
                    Ok(found) => time(found.last_modified())?,
                    Err(failure) if failure.is_missing() => return Err(missing(name)),
                    Err(failure) => return Err(self.location.error(failure)),
                }
            }
            Naming::Literal => {
                let ask = || self.location.container.get_properties(None);
                let found = self.location.ask(Lost::SendAgain, ask).await;
                time(found.map_err(|failure| self.location.error(failure))?.last_modified())?
            }
        };
        Ok(ContainerInfo { created_at })
    }

    async fn read(&self, object: &str, range: ByteRange) -> Result<Blob> {
        match download::wanted(range) {
            Some(range) => download::open(&self.location, &self.naming.blob(object)?, object, range).await,
            None => {
                self.stat(object).await?;
                Ok(Blob { size: 0, body: Box::pin(stream::empty()) })
            }
        }
    }

    async fn write(&self, object: &str, body: ByteStream) -> Result<()> {
        upload::write(&self.location, &self.naming.blob(object)?, object, body).await
    }

    async fn stat(&self, object: &str) -> Result<ObjectInfo> {
        let blob = self.location.blob(&self.naming.blob(object)?);
        match self.location.ask(Lost::SendAgain, || blob.get_properties(None)).await {
            Ok(found) => {
                let size = found.content_length().ok().flatten();
                let size = size.ok_or_else(|| Error::other("Azure told no size of a blob"))?;
                Ok(ObjectInfo { size, created_at: time(found.last_modified())? })
            }
            Err(failure) if failure.is_missing() => Err(no_object(object)),
            Err(failure) => Err(self.location.error(failure)),
        }
    }

    async fn list(&self, cursor: Option<&Cursor>) -> Result<Page<String>> {
        listing::page(&self.location, self.naming.prefix(), self.naming.read(), cursor).await
    }

    async fn delete(&self, objects: &[String]) -> Result<()> {
        let blobs = objects.iter().map(|object| self.naming.blob(object)).collect::<Result<Vec<_>>>()?;
        let deletes: Vec<_> = blobs.iter().map(|blob| self.location.delete(blob)).collect();
        stream::iter(deletes).buffer_unordered(AT_ONCE).try_collect().await
    }
}
