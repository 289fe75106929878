use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::RwLock;
use slight_capabilities::{
    Bucket, Cursor, Entry, Error, KeyValue, Page, QualifiedName, Result, Version, add_to_counter,
};

use crate::shards::{Shards, put};

/// From this many buckets on, those that were opened and are empty are looked for and forgotten.
const SWEEP_FROM: usize = 1024;

/// All buckets, made as they are opened.
#[derive(Default)]
pub(crate) struct Buckets {
    opened: RwLock<Opened>,
}

#[derive(Default)]
struct Opened {
    buckets: HashMap<QualifiedName, Arc<MemoryBucket>>,
    versions: Arc<Versions>,
    /// How many buckets there may be before the next sweep: twice what the last one left.
    sweep_at: usize,
}

impl Opened {
    fn find_or_make(&mut self, name: &QualifiedName) -> Arc<MemoryBucket> {
        if self.buckets.len() >= self.sweep_at.max(SWEEP_FROM) {
            // Handles are only cloned while this is locked: a count of one is the map's own.
            self.buckets.retain(|_, bucket| Arc::strong_count(bucket) > 1 || !bucket.entries.is_empty());
            self.sweep_at = self.buckets.len().saturating_mul(2);
        }
        let versions = &self.versions;
        let new =
            || Arc::new(MemoryBucket { name: name.clone(), entries: Shards::default(), versions: versions.clone() });
        self.buckets.entry(name.clone()).or_insert_with(new).clone()
    }
}

#[async_trait]
impl KeyValue for Buckets {
    async fn open(&self, name: &QualifiedName) -> Result<Arc<dyn Bucket>> {
        let opened = self.opened.read().buckets.get(name).cloned();
        Ok(opened.unwrap_or_else(|| self.opened.write().find_or_make(name)))
    }

    fn reads_at_once(&self) -> bool {
        true
    }
}

/// Numbers every state that any entry of a provider ever had: a version is not used again, not even after a delete.
#[derive(Default)]
struct Versions(AtomicU64);

struct MemoryBucket {
    name: QualifiedName,
    entries: Shards<Entry>,
    versions: Arc<Versions>,
}

impl MemoryBucket {
    fn entry(&self, value: Bytes) -> Entry {
        let Versions(next) = &*self.versions;
        let number = next.fetch_add(1, Ordering::Relaxed);
        Entry { value, version: Version(Bytes::copy_from_slice(&number.to_be_bytes())) }
    }
}

#[async_trait]
impl Bucket for MemoryBucket {
    async fn get(&self, key: &str) -> Result<Option<Entry>> {
        Ok(self.entries.with(key, Entry::clone))
    }

    fn get_at_once(&self, key: &str) -> Result<Option<Bytes>> {
        Ok(self.entries.with(key, |entry| entry.value.clone()))
    }

    async fn set(&self, key: &str, value: Bytes) -> Result<()> {
        self.entries.insert(key, self.entry(value));
        Ok(())
    }

    async fn delete(&self, key: &str) -> Result<()> {
        self.entries.remove(key);
        Ok(())
    }

    async fn exists(&self, key: &str) -> Result<bool> {
        Ok(self.entries.contains(key))
    }

    async fn keys(&self, cursor: Option<&Cursor>) -> Result<Page<String>> {
        self.entries.page(&["memory", "bucket", &self.name.prefix, &self.name.name], cursor)
    }

    async fn swap(&self, key: &str, expected: Option<&Version>, value: Bytes) -> Result<()> {
        let mut entries = self.entries.lock(key);
        if entries.get(key).map(|entry| &entry.version) != expected {
            return Err(Error::conflict(format!("the entry {key:?} is not the one that was expected")));
        }
        put(&mut entries, key, self.entry(value));
        Ok(())
    }

    async fn increment(&self, key: &str, delta: i64) -> Result<i64> {
        let mut entries = self.entries.lock(key);
        let current = entries.get(key).map(|entry| entry.value.as_ref());
        let sum = add_to_counter(key, current, delta)?;
        put(&mut entries, key, self.entry(Bytes::from(sum.to_string())));
        Ok(sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn buckets_opened_and_left_empty_are_forgotten() {
        let buckets = Buckets::default();
        let held = buckets.open(&"held".into()).await.unwrap();
        buckets.open(&"full".into()).await.unwrap().set("key", "1".into()).await.unwrap();
        for number in 0..10 * SWEEP_FROM {
            buckets.open(&number.to_string().as_str().into()).await.unwrap();
        }
        assert!(buckets.opened.read().buckets.len() <= SWEEP_FROM);
        held.set("key", "2".into()).await.unwrap();
        for name in ["held", "full"] {
            assert!(buckets.open(&name.into()).await.unwrap().exists("key").await.unwrap(), "{name}");
        }
    }
}
