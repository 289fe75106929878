//! Key-value and blobs in Amazon S3, and in servers that speak its protocol.
//!
//! An entry or an object of a guest is an object in S3, under a key that `names` makes. What S3 decides is left to it:
//! conditional writes by ETag are the swaps, and uploads in parts show nothing until they are completed. The page
//! `docs/providers/s3.md` says how names map to keys, what is guaranteed, and what each call costs.

mod connection;
mod container;
mod containers;
mod copying;
mod counter;
mod entry;
mod errors;
mod guarantees;
mod key_value;
mod listing;
mod location;
mod multipart;
mod names;
mod pause;
mod reading;
mod removal;
mod settings;
mod store;
mod sweep;
mod turns;
mod upload;

use std::{collections::BTreeSet, sync::Arc};

use async_trait::async_trait;
use parking_lot::Mutex;
use slight_capabilities::{BlobStore, Capability, Connect, KeyValue, Provider, ProviderKind, Readiness, Result};

use crate::{
    containers::Containers,
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
    settings: Settings,
    buckets: Arc<Buckets>,
    containers: Arc<Containers>,
    /// Which capabilities are in use.
    prepared: Mutex<BTreeSet<Capability>>,
}

impl S3 {
    async fn connect(settings: Settings) -> Result<Self> {
        settings.check()?;
        let location = Location::parse("key-value.location", &settings.key_value.location)?;
        let (client, region) = connection::client(&settings).await?;
        let key_value = Arc::new(Store { client, region, timeout: settings.timeout, location });
        let BlobSettings { location, part_size, .. } = &settings.blob;
        let blob = Arc::new(key_value.at(Location::parse("blob.location", location)?));
        Ok(Self {
            buckets: Arc::new(Buckets::new(key_value.clone())),
            containers: Arc::new(Containers::new(blob.clone(), *part_size as usize)),
            key_value,
            blob,
            settings,
            prepared: Mutex::default(),
        })
    }

    /// Where a capability keeps what it has, and whether that may be made.
    fn location(&self, capability: Capability) -> Option<(&Arc<Store>, bool)> {
        match capability {
            Capability::KeyValue => Some((&self.key_value, self.settings.key_value.create)),
            Capability::Blob => Some((&self.blob, self.settings.blob.create)),
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

    async fn prepare(&self, capability: Capability) -> Result<()> {
        let Some((store, create)) = self.location(capability) else { return Ok(()) };
        if self.settings.connect == Connect::Eager {
            store.prepare(capability.name(), create).await?;
        }
        if self.prepared.lock().insert(capability) && capability == Capability::Blob {
            sweep::begin(store.clone(), self.settings.blob.abandoned_after);
        }
        Ok(())
    }

    async fn inspect(&self, capability: Capability) -> Result<Readiness> {
        match self.location(capability) {
            Some((store, create)) => store.inspect(capability.name(), create).await,
            None => Ok(Readiness::Ready),
        }
    }

    async fn ping(&self) -> Result<()> {
        let prepared = self.prepared.lock().clone();
        if prepared.is_empty() {
            // Whether the bucket is there will be asked when it is known to be wanted.
            return match self.key_value.check().await {
                Err(failure) if !failure.is_no_bucket() => Err(self.key_value.error(failure, true)),
                _ => Ok(()),
            };
        }
        for (capability, store) in [(Capability::KeyValue, &self.key_value), (Capability::Blob, &self.blob)] {
            if prepared.contains(&capability) {
                store.check().await.map_err(|failure| store.error(failure, true))?;
            }
        }
        Ok(())
    }
}
