//! Key-value and messaging in one [redb](https://docs.rs/redb) file: durable, without a server.
//!
//! All writes go through one thread (`writer`) that puts whatever is waiting into one transaction, so that many
//! writers share one sync of the disk. Reads see the last commit and wait for nobody. Nothing is kept in memory but
//! redb's cache, who waits for messages, and the inboxes for replies. A file that is gone, replaced or that redb has given
//! up is opened again (`held`), and redb is kept from meeting a full disk (`room`).

mod errors;
mod file;
mod guarantees;
mod held;
mod key_value;
mod messaging;
mod numbers;
mod room;
mod settings;
mod store;
mod wakes;
mod writer;

use std::sync::Arc;

use async_trait::async_trait;
use slight_capabilities::{Capability, KeyValue, Messaging, Provider, ProviderKind, Readiness, Result};

pub use crate::settings::{KeyValueSettings, MessagingSettings, Settings};
use crate::{key_value::Buckets, messaging::Topics, store::Store};

/// What `slight` needs to know to offer this provider.
pub fn kind() -> ProviderKind {
    ProviderKind::new(
        "redb",
        "A database file of this machine: durable, transactional, no server.",
        &[Capability::KeyValue, Capability::Messaging],
        |settings: Settings| async { Ok(Arc::new(Redb::new(settings)?) as Arc<dyn Provider>) },
    )
    .with_guarantees(guarantees::GUARANTEES)
    .exclusive("path")
}

/// One database file. Dropping the last of its clones and of what it gave out closes the file, after the writes
/// that were asked for.
#[derive(Clone)]
pub struct Redb {
    store: Arc<Store>,
    buckets: Arc<Buckets>,
    topics: Arc<Topics>,
    settings: Arc<Settings>,
}

impl Redb {
    /// Takes the settings; the file is opened when the first capability is prepared, and made if that one may make its
    /// location.
    ///
    /// # Errors
    /// `Invalid` when a location has no name.
    pub fn new(settings: Settings) -> Result<Self> {
        settings.check()?;
        let store = Arc::new(Store::new(settings.path.clone()));
        Ok(Self {
            buckets: Arc::new(Buckets::new(store.clone(), &settings.key_value.location)),
            topics: Arc::new(Topics::new(store.clone(), &settings.messaging.location)),
            store,
            settings: Arc::new(settings),
        })
    }
}

#[async_trait]
impl Provider for Redb {
    fn key_value(&self) -> Option<Arc<dyn KeyValue>> {
        Some(self.buckets.clone())
    }

    fn messaging(&self) -> Option<Arc<dyn Messaging>> {
        Some(self.topics.clone())
    }

    async fn prepare(&self, capability: Capability) -> Result<()> {
        match capability {
            Capability::KeyValue => self.buckets.prepare(self.settings.key_value.create).await,
            Capability::Messaging => self.topics.prepare(self.settings.messaging.create).await,
            Capability::Blob => Ok(()),
        }
    }

    async fn inspect(&self, capability: Capability) -> Result<Readiness> {
        match capability {
            Capability::KeyValue => self.buckets.inspect(self.settings.key_value.create).await,
            Capability::Messaging => self.topics.inspect(self.settings.messaging.create).await,
            Capability::Blob => Ok(Readiness::Ready),
        }
    }

    async fn ping(&self) -> Result<()> {
        self.store.read(|_| Ok(())).await
    }
}
