//! Key-value, blob storage and messaging in NATS JetStream.
//!
//! One connection carries the calls of all guests, and a second one what other programs may have written. Whatever has to
//! be one step on the server is a message that expects the last one of its subject. The page `docs/providers/nats.md` says
//! how names map to streams and subjects, what is guaranteed, and what each call costs.

mod blob;
mod call;
mod errors;
mod guarantees;
mod key_value;
mod link;
mod listing;
mod location;
mod messaging;
mod pull;
mod pulse;
mod settings;
mod stream;
mod target;

use std::sync::Arc;

use async_trait::async_trait;
use serde::de::IgnoredAny;
use serde_json::json;
use slight_capabilities::{
    BlobStore, Capability, Connect, KeyValue, Messaging, Provider, ProviderKind, Readiness, Result,
};

use crate::{
    blob::Containers,
    key_value::Buckets,
    link::{Link, Lost},
    messaging::Topics,
    settings::Settings,
};

/// What `slight` needs to know to offer this provider.
pub fn kind() -> ProviderKind {
    ProviderKind::new(
        "nats",
        "NATS 2.10 and later with JetStream: single servers and clusters.",
        &Capability::ALL,
        |settings: Settings| async move { Ok(Arc::new(Nats::connect(settings).await?) as Arc<dyn Provider>) },
    )
    .with_guarantees(guarantees::GUARANTEES)
}

/// One connected section.
struct Nats {
    link: Link,
    connect: Connect,
    buckets: Arc<Buckets>,
    containers: Arc<Containers>,
    topics: Arc<Topics>,
}

impl Nats {
    async fn connect(settings: Settings) -> Result<Self> {
        settings.check()?;
        let link = Link::open(&settings).await?;
        Ok(Self {
            connect: settings.connect,
            buckets: Arc::new(Buckets::new(&link, settings.key_value)),
            containers: Arc::new(Containers::new(&link, settings.blob)),
            topics: Arc::new(Topics::new(&link, settings.messaging)),
            link,
        })
    }
}

#[async_trait]
impl Provider for Nats {
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
        if self.connect == Connect::Lazy {
            // With the first use.
            return Ok(());
        }
        match capability {
            Capability::KeyValue => self.buckets.prepare().await,
            Capability::Messaging => self.topics.prepare().await,
            Capability::Blob => {
                self.containers.prepare();
                self.ping().await
            }
        }
    }

    async fn inspect(&self, capability: Capability) -> Result<Readiness> {
        match capability {
            Capability::KeyValue => self.buckets.inspect().await,
            Capability::Messaging => self.topics.inspect().await,
            // Every container is a stream of its own, made with the container.
            Capability::Blob => self.ping().await.map(|()| Readiness::Ready),
        }
    }

    async fn ping(&self) -> Result<()> {
        let account = self.link.api::<IgnoredAny>("INFO", &json!({}), Lost::SendAgain).await?;
        account.map(drop).map_err(|error| errors::refused("", error))
    }

    async fn close(&self) {
        self.topics.close().await;
    }
}
