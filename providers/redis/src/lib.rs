//! Key-value and messaging in Redis 6.2 and later and in Valkey, single or as a cluster.
//!
//! One connection carries the commands of all guests, pipelined; each subscription and each inbox has one more, to wait on.
//! Whatever has to be one step on the server is a Lua script. The page `docs/providers/redis.md` says how names map to
//! keys, what is guaranteed, and what each call costs.

mod cluster;
mod connection;
mod errors;
mod guarantees;
mod key_value;
mod link;
mod listing;
mod messaging;
mod script;
mod settings;
mod target;
mod url;
mod waiting;

use std::sync::Arc;

use async_trait::async_trait;
use slight_capabilities::{Capability, Connect, KeyValue, Messaging, Provider, ProviderKind, Result};

use crate::{key_value::Buckets, link::Link, messaging::Topics, settings::Settings};

/// What `slight` needs to know to offer this provider.
pub fn kind() -> ProviderKind {
    ProviderKind::new(
        "redis",
        "Redis 6.2 and later, and Valkey: single servers and clusters.",
        &[Capability::KeyValue, Capability::Messaging],
        |settings: Settings| async move { Ok(Arc::new(Redis::connect(settings).await?) as Arc<dyn Provider>) },
    )
    .with_guarantees(guarantees::GUARANTEES)
}

/// One connected section.
struct Redis {
    link: Link,
    connect: Connect,
    buckets: Arc<Buckets>,
    topics: Arc<Topics>,
}

impl Redis {
    async fn connect(settings: Settings) -> Result<Self> {
        settings.check()?;
        let link = Link::open(&settings).await?;
        Ok(Self {
            connect: settings.connect,
            buckets: Arc::new(Buckets::new(link.clone(), settings.key_value.location)),
            topics: Arc::new(Topics::new(link.clone(), settings.messaging)),
            link,
        })
    }
}

#[async_trait]
impl Provider for Redis {
    fn key_value(&self) -> Option<Arc<dyn KeyValue>> {
        Some(self.buckets.clone())
    }

    fn messaging(&self) -> Option<Arc<dyn Messaging>> {
        Some(self.topics.clone())
    }

    /// There is nothing to make: a location is what keys begin with.
    fn connects(&self) -> Connect {
        self.connect
    }

    async fn prepare(&self, _: Capability) -> Result<()> {
        if self.connect == Connect::Lazy { Ok(()) } else { self.ping().await }
    }

    async fn ping(&self) -> Result<()> {
        self.link.ping().await
    }

    async fn close(&self) {
        self.topics.close().await;
    }
}
