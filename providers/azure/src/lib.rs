//! Key-value, blobs and messaging in an Azure storage account: in its blobs and its queues.
//!
//! Everything is one request of the official SDK, whose own attempts are off: what may be sent again depends on the call,
//! and is decided in one place. The page `docs/providers/azure.md` says how names map to blobs and queues, what is
//! guaranteed, and what each call costs.

mod account;
mod attempts;
mod blob;
mod connection_string;
mod errors;
mod guarantees;
mod key_value;
mod link;
mod listing;
mod location;
mod messaging;
mod names;
mod settings;
mod shared_key;
mod whole;

use std::sync::Arc;

use async_trait::async_trait;
use slight_capabilities::{
    BlobStore, Capability, Connect, KeyValue, Messaging, Provider, ProviderKind, Readiness, Result,
};

use crate::{blob::Containers, key_value::Buckets, link::Link, messaging::Topics, settings::Settings};

/// What `slight` needs to know to offer this provider.
pub fn kind() -> ProviderKind {
    ProviderKind::new(
        "azure",
        "Azure Storage: blobs and queues of one account, or of Azurite.",
        &Capability::ALL,
        |settings: Settings| async move { Ok(Arc::new(Azure::new(&settings)?) as Arc<dyn Provider>) },
    )
    .with_guarantees(guarantees::GUARANTEES)
}

/// One connected section.
struct Azure {
    connect: Connect,
    buckets: Arc<Buckets>,
    containers: Arc<Containers>,
    topics: Arc<Topics>,
}

impl Azure {
    fn new(settings: &Settings) -> Result<Self> {
        settings.check()?;
        let link = Arc::new(Link::new(settings)?);
        Ok(Self {
            connect: settings.connect,
            buckets: Arc::new(Buckets::new(link.clone(), &settings.key_value)),
            containers: Arc::new(Containers::new(link.clone(), &settings.blob)),
            topics: Arc::new(Topics::new(link, &settings.messaging)),
        })
    }
}

#[async_trait]
impl Provider for Azure {
    fn key_value(&self) -> Option<Arc<dyn KeyValue>> {
        Some(self.buckets.clone())
    }

    fn blob(&self) -> Option<Arc<dyn BlobStore>> {
        Some(self.containers.clone())
    }

    fn messaging(&self) -> Option<Arc<dyn Messaging>> {
        Some(self.topics.clone())
    }

    fn connects(&self) -> Connect {
        self.connect
    }

    async fn prepare(&self, capability: Capability) -> Result<()> {
        match capability {
            _ if self.connect == Connect::Lazy => Ok(()),
            Capability::KeyValue => self.buckets.location.prepare().await,
            Capability::Blob => self.containers.location.prepare().await,
            Capability::Messaging => self.topics.prepare().await,
        }
    }

    async fn inspect(&self, capability: Capability) -> Result<Readiness> {
        match capability {
            Capability::KeyValue => self.buckets.location.inspect().await,
            Capability::Blob => self.containers.location.inspect().await,
            Capability::Messaging => self.topics.inspect().await,
        }
    }

    /// Asks for a container that is in use: credentials may be good for one alone.
    async fn ping(&self) -> Result<()> {
        let locations = [&*self.buckets.location, &*self.containers.location, self.topics.location()];
        let used = locations.into_iter().find(|location| location.is_prepared());
        used.unwrap_or(&self.buckets.location).is_there().await.map(drop)
    }

    async fn close(&self) {
        self.topics.close().await;
    }
}
