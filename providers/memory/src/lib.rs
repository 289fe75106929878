//! Key-value, blob storage and messaging in the memory of the process.
//!
//! It is for tests, for development, and for state that may be lost: nothing is written anywhere, and one [`Memory`]
//! is seen by one process alone. It sets no limits of its own; sizes are the runtime's to bound.
//!
//! Everything is behind many small locks, each held for a look-up or an insertion and never across an `await`: no call
//! waits for another guest's value to be copied, because values are never copied.

mod blob;
mod guarantees;
mod key_value;
mod messaging;
mod object;
mod shards;

use std::sync::Arc;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use slight_capabilities::{BlobStore, Capability, KeyValue, Messaging, Provider, ProviderKind, Result};

use crate::{blob::Containers, key_value::Buckets, messaging::Topics};

/// What `slight` needs to know to offer this provider.
pub fn kind() -> ProviderKind {
    ProviderKind::new(
        "memory",
        "The memory of the process: fast, and gone when it ends.",
        &Capability::ALL,
        |_: Settings| async { Ok(Arc::new(Memory::new()) as Arc<dyn Provider>) },
    )
    .with_guarantees(guarantees::GUARANTEES)
    .forgets()
}

/// The section `[providers.X]` with `type = "memory"`: there is nothing to set.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {}

/// A memory of its own: clones share it, another [`Memory::new`] does not.
///
/// It grows with what is stored. That includes messages: a group that nobody reads keeps everything published to its
/// topic until the group is deleted, as the contract says.
#[derive(Clone, Default)]
pub struct Memory {
    buckets: Arc<Buckets>,
    containers: Arc<Containers>,
    topics: Arc<Topics>,
}

impl Memory {
    /// An empty memory.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes a location that [`BlobStore::existing`] opens, as if another program had; one that is there stays.
    pub fn create_location(&self, location: &str) {
        self.containers.create_location(location);
    }
}

#[async_trait]
impl Provider for Memory {
    fn key_value(&self) -> Option<Arc<dyn KeyValue>> {
        Some(self.buckets.clone())
    }

    fn blob(&self) -> Option<Arc<dyn BlobStore>> {
        Some(self.containers.clone())
    }

    fn messaging(&self) -> Option<Arc<dyn Messaging>> {
        Some(self.topics.clone())
    }

    async fn prepare(&self, _: Capability) -> Result<()> {
        Ok(())
    }

    async fn ping(&self) -> Result<()> {
        Ok(())
    }
}
