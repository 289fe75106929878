mod bucket;
mod counters;

use std::sync::Arc;

use async_nats::jetstream::stream::Config;
use async_trait::async_trait;
use slight_capabilities::{Bucket, KeyValue, QualifiedName, Readiness, Result};

pub(crate) use self::{bucket::NatsBucket, counters::Turns};
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
        let prefix = prefix(&self.name, name);
        Ok(Arc::new(NatsBucket::new(&self.location, prefix, &self.turns)))
    }
}

/// What the subjects of a bucket begin with.
fn prefix(location: &str, name: &QualifiedName) -> String {
    format!("$KV.{location}.{}.{END}.", name.encoded())
}

#[cfg(test)]
mod tests {
    use slight_capabilities::encode_name;

    use super::*;

    #[test]
    fn no_two_entries_are_one_subject() {
        let mut found = std::collections::HashMap::new();
        for location in ["a", "a_", "a-b"] {
            for bucket_prefix in ["", "shop", "shop-", "shop/", "shop.x"] {
                for name in ["a", "-a", "=", "a.=.b", "=.a", "shop=/a", "=/a", "x.a"] {
                    for key in ["k", "=", "=.k", "b.=.k", "a.=.k", "*", ">", "."] {
                        let entry = (location, bucket_prefix, name, key);
                        let subject = format!(
                            "{}{}",
                            prefix(location, &QualifiedName::new(bucket_prefix, name)),
                            encode_name(key)
                        );
                        assert_eq!(found.insert(subject, entry), None, "{entry:?}");
                    }
                }
            }
        }
        // No listing shows what is in another bucket.
        let prefixes: std::collections::BTreeSet<_> = found
            .values()
            .map(|(location, before, name, _)| prefix(location, &QualifiedName::new(*before, *name)))
            .collect();
        for one in &prefixes {
            assert_eq!(prefixes.iter().filter(|other| other.starts_with(one)).count(), 1, "{one}");
        }
    }
}
