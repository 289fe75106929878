//! Blob storage in a directory: containers are directories, objects are files under their names.
//!
//! An object is written to a temporary file of the same file system, synced, and put in its place with one rename, whose
//! directory is synced in turn: there is never a part of one to be seen, and `Ok` outlives the process and the machine. A
//! reader keeps the file that it opened, and so the version. `names` says how names become paths, and `dir` how they are
//! opened without following a link.

mod containers;
mod dir;
mod directory;
mod errors;
mod files;
mod guarantees;
mod listing;
mod location;
mod names;
mod naming;
mod objects;
mod settings;
mod temporary;

use std::sync::Arc;

use async_trait::async_trait;
use slight_capabilities::{BlobStore, Capability, Provider, ProviderKind, Readiness, Result};

pub use crate::settings::{BlobSettings, Settings};
use crate::{containers::Containers, location::Location};

/// What `slight` needs to know to offer this provider.
pub fn kind() -> ProviderKind {
    ProviderKind::new(
        "file",
        "A directory of this machine: objects are ordinary files.",
        &[Capability::Blob],
        |settings: Settings| async { Ok(Arc::new(Files::new(settings)?) as Arc<dyn Provider>) },
    )
    .with_guarantees(guarantees::GUARANTEES)
}

/// A directory with containers in it.
#[derive(Clone)]
pub struct Files {
    location: Arc<Location>,
    containers: Arc<Containers>,
}

impl Files {
    /// Takes the settings; nothing is opened yet.
    ///
    /// # Errors
    /// `Invalid` when the location is no plain relative path.
    pub fn new(settings: Settings) -> Result<Self> {
        let location = Arc::new(Location::new(settings)?);
        Ok(Self { containers: Arc::new(Containers::new(location.clone())), location })
    }
}

#[async_trait]
impl Provider for Files {
    fn blob(&self) -> Option<Arc<dyn BlobStore>> {
        Some(self.containers.clone())
    }

    async fn prepare(&self, capability: Capability) -> Result<()> {
        match capability {
            Capability::Blob => files::in_background(self.location.clone(), |location| location.prepare()).await,
            Capability::KeyValue | Capability::Messaging => Ok(()),
        }
    }

    async fn inspect(&self, capability: Capability) -> Result<Readiness> {
        match capability {
            Capability::Blob => files::in_background(self.location.clone(), |location| location.inspect()).await,
            Capability::KeyValue | Capability::Messaging => Ok(Readiness::Ready),
        }
    }

    async fn ping(&self) -> Result<()> {
        files::in_background(self.location.clone(), |location| location.ping()).await
    }
}
