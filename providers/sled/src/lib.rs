//! Key-value in a [sled](https://docs.rs/sled) database: a directory, without a server.
//!
//! sled itself syncs every half second. Here a write is acknowledged after a flush that began when it was made; one
//! thread (`flusher`) flushes for all writes that wait. sled is kept from meeting a full disk (`room`), and a database that is
//! gone, was replaced or has failed is opened again (`store`).

mod database;
mod errors;
mod flusher;
mod guarantees;
mod key_value;
mod room;
mod settings;
mod store;

use std::sync::Arc;

use async_trait::async_trait;
use slight_capabilities::{Capability, Error, KeyValue, Provider, ProviderKind, Readiness, Result};

pub use crate::settings::{KeyValueSettings, Settings};
use crate::{key_value::Buckets, store::Store};

/// What `slight` needs to know to offer this provider.
pub fn kind() -> ProviderKind {
    ProviderKind::new(
        "sled",
        "A sled database on this machine: durable, no server.",
        &[Capability::KeyValue],
        |settings: Settings| async { Ok(Arc::new(Sled::new(settings)?) as Arc<dyn Provider>) },
    )
    .with_guarantees(guarantees::GUARANTEES)
    .exclusive("path")
}

/// One database. Dropping the last of its clones and of the buckets that it gave out closes it.
#[derive(Clone)]
pub struct Sled {
    store: Store,
    buckets: Arc<Buckets>,
}

impl Sled {
    /// Takes the settings; the database is opened when it is prepared.
    ///
    /// # Errors
    /// `Invalid` when the location has no name.
    pub fn new(settings: Settings) -> Result<Self> {
        settings.check()?;
        let KeyValueSettings { location, create } = settings.key_value;
        let store = Store::new(settings.path, location, create);
        Ok(Self { buckets: Arc::new(Buckets::new(store.clone())), store })
    }
}

#[async_trait]
impl Provider for Sled {
    fn key_value(&self) -> Option<Arc<dyn KeyValue>> {
        Some(self.buckets.clone())
    }

    async fn prepare(&self, capability: Capability) -> Result<()> {
        match capability {
            Capability::KeyValue => self.store.prepare().await,
            Capability::Blob | Capability::Messaging => Ok(()),
        }
    }

    async fn inspect(&self, capability: Capability) -> Result<Readiness> {
        match capability {
            Capability::KeyValue => self.store.inspect().await,
            Capability::Blob | Capability::Messaging => Ok(Readiness::Ready),
        }
    }

    async fn ping(&self) -> Result<()> {
        // Opening it would make it.
        if let Readiness::ToBeCreated(what) = self.inspect(Capability::KeyValue).await? {
            return Err(Error::not_found(format!("{what} has not been created yet")));
        }
        self.store.read(|open| open.tree.contains_key("").map(|_| ())).await
    }
}
