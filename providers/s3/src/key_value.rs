use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use slight_capabilities::{Bucket, Cursor, Entry, Error, KeyValue, Page, QualifiedName, Result, Version};
use tokio::time::Instant;

use crate::{
    entry::{self, MAX_VALUE_BYTES},
    errors::Effect,
    listing::Listing,
    names::{Naming, directory_of},
    removal::remove,
    store::{Store, ask},
    turns::Turns,
};

/// How many requests a call on many keys has out at a time.
const AT_ONCE: usize = 16;

/// All buckets below one location.
pub(crate) struct Buckets {
    store: Arc<Store>,
    turns: Arc<Turns>,
}

impl Buckets {
    pub(crate) fn new(store: Arc<Store>) -> Self {
        Self { store, turns: Arc::default() }
    }
}

#[async_trait]
impl KeyValue for Buckets {
    async fn open(&self, name: &QualifiedName) -> Result<Arc<dyn Bucket>> {
        let prefix = self.store.location.key(&directory_of(name));
        Ok(Arc::new(S3Bucket { store: self.store.clone(), turns: self.turns.clone(), prefix }))
    }
}

/// One bucket of guests: each entry is an object, below what the keys of the bucket begin with.
pub(crate) struct S3Bucket {
    pub(crate) store: Arc<Store>,
    pub(crate) turns: Arc<Turns>,
    prefix: String,
}

impl S3Bucket {
    pub(crate) fn key(&self, key: &str) -> String {
        format!("{}{}", self.prefix, Naming::Encoded.write(key))
    }

    pub(crate) async fn get_by(&self, key: &str, deadline: Instant) -> Result<Option<Entry>> {
        self.store.ready(deadline).await?;
        match entry::read(&self.store, &self.key(key), deadline).await {
            Err(failure) if failure.is_missing() => Ok(None),
            read => read.map_err(|failure| self.store.error(failure, Effect::None))?.checked(key).map(Some),
        }
    }
}

fn check_size(key: &str, value: &Bytes) -> Result<()> {
    let size = value.len() as u64;
    if size > MAX_VALUE_BYTES {
        return Err(Error::too_large(format!("the value of key {key:?}"), size, MAX_VALUE_BYTES));
    }
    Ok(())
}

#[async_trait]
impl Bucket for S3Bucket {
    async fn get(&self, key: &str) -> Result<Option<Entry>> {
        self.get_by(key, self.store.deadline()).await
    }

    async fn set(&self, key: &str, value: Bytes) -> Result<()> {
        check_size(key, &value)?;
        let deadline = self.store.deadline_with(value.len() as u64);
        self.store.ready(deadline).await?;
        let put = self.store.client.put_object().bucket(self.store.bucket()).key(self.key(key)).body(value.into());
        ask(deadline, put.send()).await.map(drop).map_err(|failure| self.store.error(failure, Effect::Repeatable))
    }

    async fn delete(&self, key: &str) -> Result<()> {
        let deadline = self.store.deadline();
        self.store.ready(deadline).await?;
        let delete = self.store.client.delete_object().bucket(self.store.bucket()).key(self.key(key));
        match ask(deadline, delete.send()).await {
            Err(failure) if failure.is_missing() => Ok(()),
            deleted => deleted.map(drop).map_err(|failure| self.store.error(failure, Effect::Repeatable)),
        }
    }

    async fn exists(&self, key: &str) -> Result<bool> {
        let deadline = self.store.deadline();
        self.store.ready(deadline).await?;
        let head = self.store.client.head_object().bucket(self.store.bucket()).key(self.key(key));
        match ask(deadline, head.send()).await {
            Ok(_) => Ok(true),
            Err(failure) if failure.is_missing() => Ok(false),
            Err(failure) => Err(self.store.error(failure, Effect::None)),
        }
    }

    async fn keys(&self, cursor: Option<&Cursor>) -> Result<Page<String>> {
        self.store.ready(self.store.deadline()).await?;
        let name = |key: &str| Naming::Encoded.read(key);
        let listing = Listing { store: &self.store, prefix: &self.prefix, capability: "key-value", name: &name };
        listing.page(cursor).await
    }

    async fn swap(&self, key: &str, expected: Option<&Version>, value: Bytes) -> Result<()> {
        check_size(key, &value)?;
        let deadline = self.store.deadline_with(value.len() as u64);
        self.store.ready(deadline).await?;
        match entry::write(&self.store, &self.key(key), expected, value, deadline).await {
            Err(failure) if failure.is_conflict() => {
                Err(Error::conflict(format!("the entry {key:?} is not the one that was expected")))
            }
            written => written.map_err(|failure| self.store.error(failure, Effect::Once)),
        }
    }

    async fn increment(&self, key: &str, delta: i64) -> Result<i64> {
        self.increment_by(key, delta, self.store.deadline()).await
    }

    async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Bytes>>> {
        let gets = keys.iter().cloned().map(|key| async move {
            let entry = self.get(&key).await?;
            Ok(entry.map(|entry| entry.value))
        });
        stream::iter(gets).buffered(AT_ONCE).try_collect().await
    }

    async fn set_many(&self, entries: Vec<(String, Bytes)>) -> Result<()> {
        // The last one of a key wins, and they are set in no order.
        let entries: HashMap<_, _> = entries.into_iter().collect();
        let sets = entries.into_iter().map(|(key, value)| async move { self.set(&key, value).await });
        stream::iter(sets).buffer_unordered(AT_ONCE).try_collect().await
    }

    async fn delete_many(&self, keys: &[String]) -> Result<()> {
        self.store.ready(self.store.deadline()).await?;
        let keys: BTreeSet<_> = keys.iter().map(|key| self.key(key)).collect();
        remove(&self.store, keys).await
    }
}
