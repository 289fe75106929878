mod bucket;
mod counters;

use std::sync::Arc;

use async_nats::jetstream::stream::Config;
use async_trait::async_trait;
use slight_capabilities::{Bucket, KeyValue, QualifiedName, Readiness, Result};

use self::{bucket::NatsBucket, counters::Turns};
use crate::{
    link::Link,
    location::{Location, config},
    settings::KeyValueSettings,
};

/// Ends the name of a bucket in a subject. No encoded name has a part between dots that is just this, so that the
/// subjects of no bucket begin with those of another.
const END: &str = "=";

/// All buckets in one key-value bucket of NATS: a stream that keeps the last message of each subject.
pub(crate) struct Buckets {
    location: Arc<Location>,
    name: String,
    turns: Arc<Turns>,
}

impl Buckets {
    pub(crate) fn new(link: &Link, settings: KeyValueSettings) -> Self {
        let KeyValueSettings { location: name, create, replicas, storage, max_bytes } = settings;
        let subjects = vec![format!("$KV.{name}.>")];
        let config = Config {
            max_messages_per_subject: 1,
            // As other clients make and expect it.
            allow_rollup: true,
            deny_delete: true,
            ..config(format!("KV_{name}"), subjects, storage, replicas, max_bytes)
        };
        let location = Arc::new(Location::new(link, "key-value", config, create));
        Self { location, name, turns: Arc::default() }
    }

    pub(crate) async fn prepare(&self) -> Result<()> {
        self.location.ready().await.map(drop)
    }

    pub(crate) async fn inspect(&self) -> Result<Readiness> {
        self.location.inspect().await
    }
}

#[async_trait]
impl KeyValue for Buckets {
    async fn open(&self, name: &QualifiedName) -> Result<Arc<dyn Bucket>> {
        self.location.ready().await?;
        let prefix = format!("$KV.{}.{}.{END}.", self.name, name.encoded());
        Ok(Arc::new(NatsBucket { location: self.location.clone(), prefix, turns: self.turns.clone() }))
    }
}
