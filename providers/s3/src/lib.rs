//! Key-value and blobs in Amazon S3, and in servers that speak its protocol.
//!
//! An entry or an object of a guest is an object in S3, under a key that `names` makes. What S3 decides is left to it:
//! conditional writes by ETag are the swaps, and uploads in parts show nothing until they are completed. The page
//! `docs/providers/s3.md` says how names map to keys, what is guaranteed, and what each call costs.

mod answers;
mod commit;
mod connection;
mod container;
mod containers;
mod copying;
mod counter;
mod credentials;
mod entry;
mod errors;
mod guarantees;
mod key_value;
mod listing;
mod location;
mod multipart;
mod names;
mod pause;
mod readiness;
mod reading;
mod removal;
mod settings;
mod site;
mod store;
mod sweep;
mod turns;
mod upload;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use async_trait::async_trait;
use parking_lot::Mutex;
use slight_capabilities::{BlobStore, Capability, Connect, KeyValue, Provider, ProviderKind, Readiness, Result};

use crate::{
    containers::Containers,
    errors::Effect,
    key_value::Buckets,
    location::Location,
    settings::{BlobSettings, Settings},
    store::Store,
};

/// What `slight` needs to know to offer this provider.
pub fn kind() -> ProviderKind {
    ProviderKind::new(
        "s3",
        "Amazon S3, and servers that speak its protocol.",
        &[Capability::KeyValue, Capability::Blob],
        |settings: Settings| async move { Ok(Arc::new(S3::connect(settings).await?) as Arc<dyn Provider>) },
    )
    .with_guarantees(guarantees::GUARANTEES)
}

/// One section.
struct S3 {
    key_value: Arc<Store>,
    blob: Arc<Store>,
    connect: Connect,
    abandoned_after: Duration,
    buckets: Arc<Buckets>,
    containers: Arc<Containers>,
    /// Which capabilities are in use.
    prepared: Mutex<BTreeSet<Capability>>,
}

impl S3 {
    async fn connect(settings: Settings) -> Result<Self> {
        settings.check()?;
        let location = Location::parse("key-value.location", &settings.key_value.location)?;
        let key_value = Arc::new(connection::store(&settings, location, settings.key_value.create).await?);
        let BlobSettings { location, create, part_size, abandoned_after } = &settings.blob;
        let blob = Arc::new(key_value.at(Location::parse("blob.location", location)?, *create));
        Ok(Self {
            buckets: Arc::new(Buckets::new(key_value.clone())),
            containers: Arc::new(Containers::new(blob.clone(), *part_size as usize)),
            key_value,
            blob,
            connect: settings.connect,
            abandoned_after: *abandoned_after,
            prepared: Mutex::default(),
        })
    }

    /// Where a capability keeps what it has.
    fn location(&self, capability: Capability) -> Option<&Arc<Store>> {
        match capability {
            Capability::KeyValue => Some(&self.key_value),
            Capability::Blob => Some(&self.blob),
            Capability::Messaging => None,
        }
    }
}

#[async_trait]
impl Provider for S3 {
    fn key_value(&self) -> Option<Arc<dyn KeyValue>> {
        Some(self.buckets.clone())
    }

    fn blob(&self) -> Option<Arc<dyn BlobStore>> {
        Some(self.containers.clone())
    }

    fn connects(&self) -> Connect {
        self.connect
    }

    async fn prepare(&self, capability: Capability) -> Result<()> {
        let Some(store) = self.location(capability) else { return Ok(()) };
        if self.connect == Connect::Eager {
            store.prepare(capability).await?;
        }
        if self.prepared.lock().insert(capability) && capability == Capability::Blob {
            sweep::begin(store.clone(), self.abandoned_after);
        }
        Ok(())
    }

    async fn inspect(&self, capability: Capability) -> Result<Readiness> {
        match self.location(capability) {
            Some(store) => store.inspect(capability).await,
            None => Ok(Readiness::Ready),
        }
    }

    async fn ping(&self) -> Result<()> {
        let prepared = self.prepared.lock().clone();
        if prepared.is_empty() {
            // Whether the bucket is there will be asked when it is known to be wanted.
            return match self.key_value.check().await {
                Err(failure) if !failure.is_no_bucket() => Err(self.key_value.error(failure, Effect::None)),
                _ => Ok(()),
            };
        }
        for (capability, store) in [(Capability::KeyValue, &self.key_value), (Capability::Blob, &self.blob)] {
            if prepared.contains(&capability) {
                match store.check().await {
                    // Its first use will make it.
                    Err(failure) if failure.is_no_bucket() && store.is_to_be_made() => {}
                    // Nobody might call as long as we are not ready.
                    Err(failure) if failure.is_no_bucket() && store.create => {
                        tracing::debug!("{}", store.error(failure, Effect::None));
                        store.ready(store.deadline()).await?;
                    }
                    checked => checked.map_err(|failure| store.error(failure, Effect::None))?,
                }
            }
        }
        Ok(())
    }
}
