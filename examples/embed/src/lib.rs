//! A provider of key-value to begin with: a map, where yours has a database.

use std::{
    collections::BTreeMap,
    ops::Bound,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::Deserialize;
use slight::capabilities::{
    Bucket, Capability, Cursor, Entry, Error, KeyValue, Page, Provider, ProviderKind, QualifiedName, Result, Version,
    add_to_counter,
};

/// How many keys are on a page.
const PAGE: usize = 1000;

/// The section `[providers.X]` with `type = "shelf"`.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Settings {}

/// What the host knows of this provider before it connects.
pub fn kind() -> ProviderKind {
    ProviderKind::new("shelf", "A map of this process.", &[Capability::KeyValue], |Settings {}| async {
        Ok(Arc::new(Shelf::default()) as Arc<dyn Provider>)
    })
    .forgets()
}

/// All buckets by their encoded name, and their entries in order.
#[derive(Clone, Default)]
struct Shelf {
    buckets: Arc<Mutex<BTreeMap<String, Arc<Entries>>>>,
    versions: Arc<AtomicU64>,
}

type Entries = Mutex<BTreeMap<String, Entry>>;

#[async_trait]
impl Provider for Shelf {
    fn key_value(&self) -> Option<Arc<dyn KeyValue>> {
        Some(Arc::new(self.clone()))
    }

    async fn prepare(&self, _: Capability) -> Result<()> {
        Ok(())
    }

    async fn ping(&self) -> Result<()> {
        Ok(())
    }
}

#[async_trait]
impl KeyValue for Shelf {
    async fn open(&self, name: &QualifiedName) -> Result<Arc<dyn Bucket>> {
        let name = name.encoded();
        let entries = self.buckets.lock().entry(name.clone()).or_default().clone();
        Ok(Arc::new(ShelfBucket { name, entries, versions: self.versions.clone() }))
    }
}

struct ShelfBucket {
    name: String,
    entries: Arc<Entries>,
    versions: Arc<AtomicU64>,
}

impl ShelfBucket {
    /// Every state of every entry has a number of its own.
    fn entry(&self, value: Bytes) -> Entry {
        let number = self.versions.fetch_add(1, Ordering::Relaxed);
        Entry { value, version: Version(Bytes::copy_from_slice(&number.to_be_bytes())) }
    }
}

#[async_trait]
impl Bucket for ShelfBucket {
    async fn get(&self, key: &str) -> Result<Option<Entry>> {
        Ok(self.entries.lock().get(key).cloned())
    }

    async fn set(&self, key: &str, value: Bytes) -> Result<()> {
        let entry = self.entry(value);
        self.entries.lock().insert(key.to_owned(), entry);
        Ok(())
    }

    async fn delete(&self, key: &str) -> Result<()> {
        self.entries.lock().remove(key);
        Ok(())
    }

    async fn keys(&self, cursor: Option<&Cursor>) -> Result<Page<String>> {
        let scope = ["shelf", &self.name];
        let after = match cursor {
            None => Bound::Unbounded,
            Some(cursor) => {
                let key = String::from_utf8(cursor.payload(&scope)?);
                Bound::Excluded(key.map_err(|_| Error::invalid("the cursor is not of this bucket"))?)
            }
        };
        let entries = self.entries.lock();
        let mut keys = entries.range((after, Bound::Unbounded)).map(|(key, _)| key.clone());
        let items: Vec<String> = keys.by_ref().take(PAGE).collect();
        let last = items.last().filter(|_| keys.next().is_some());
        let next = last.map(|key| Cursor::new(&scope, key.as_bytes()));
        Ok(Page { items, next })
    }

    async fn swap(&self, key: &str, expected: Option<&Version>, value: Bytes) -> Result<()> {
        let mut entries = self.entries.lock();
        if entries.get(key).map(|entry| &entry.version) != expected {
            return Err(Error::conflict(format!("the entry {key:?} is not the one that was expected")));
        }
        entries.insert(key.to_owned(), self.entry(value));
        Ok(())
    }

    async fn increment(&self, key: &str, delta: i64) -> Result<i64> {
        let mut entries = self.entries.lock();
        let sum = add_to_counter(key, entries.get(key).map(|entry| entry.value.as_ref()), delta)?;
        entries.insert(key.to_owned(), self.entry(sum.to_string().into()));
        Ok(sum)
    }
}
