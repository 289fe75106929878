use std::{ops::Bound, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use sled::{IVec, Tree};
use slight_capabilities::{
    Bucket, Cursor, Entry, Error, KeyValue, Page, QualifiedName, Result, Version, add_to_counter,
};

use crate::{
    errors::said,
    store::{Open, Store},
};

/// How many keys a page has.
const PAGE: usize = 1000;

/// Bytes before every value: a number of the write that stored it, which is its version.
const VERSION_BYTES: usize = 8;

/// Ends the encoded name of the bucket in a key of the tree. No encoded name holds it.
const END_OF_BUCKET: u8 = 0;

/// All buckets: one tree, with the encoded name of the bucket and the key in its keys.
pub(crate) struct Buckets {
    store: Store,
}

impl Buckets {
    pub(crate) fn new(store: Store) -> Self {
        Self { store }
    }
}

#[async_trait]
impl KeyValue for Buckets {
    async fn open(&self, bucket: &QualifiedName) -> Result<Arc<dyn Bucket>> {
        Ok(Arc::new(SledBucket { store: self.store.clone(), name: bucket.encoded() }))
    }
}

struct SledBucket {
    store: Store,
    name: String,
}

impl SledBucket {
    fn key(&self, key: &str) -> Vec<u8> {
        [self.name.as_bytes(), &[END_OF_BUCKET], key.as_bytes()].concat()
    }

    fn scope(&self) -> [&str; 2] {
        ["sled", &self.name]
    }

    async fn read<T: Send + 'static>(&self, read: impl FnOnce(&Tree) -> sled::Result<T> + Send + 'static) -> Result<T> {
        self.store.read(move |open| read(&open.tree)).await
    }
}

#[async_trait]
impl Bucket for SledBucket {
    async fn get(&self, key: &str) -> Result<Option<Entry>> {
        let key = self.key(key);
        self.read(move |tree| tree.get(key)).await?.as_ref().map(entry).transpose()
    }

    async fn set(&self, key: &str, value: Bytes) -> Result<()> {
        self.set_many(vec![(key.to_owned(), value)]).await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        self.delete_many(&[key.to_owned()]).await
    }

    async fn exists(&self, key: &str) -> Result<bool> {
        let key = self.key(key);
        self.read(move |tree| tree.contains_key(key)).await
    }

    async fn keys(&self, cursor: Option<&Cursor>) -> Result<Page<String>> {
        let start = match cursor {
            None => Bound::Included(self.key("")),
            Some(cursor) => Bound::Excluded(self.key(&text(cursor.payload(&self.scope())?)?)),
        };
        // The byte after that which ends the name.
        let end = Bound::Excluded([self.name.as_bytes(), &[END_OF_BUCKET + 1]].concat());
        let range = (start, end);
        let skip = self.name.len() + 1;
        // Keys of another program that are no text are passed over.
        let key_of = move |key: IVec| String::from_utf8(key.get(skip..).unwrap_or_default().to_vec()).ok();
        let list = move |tree: &Tree| {
            let keys = tree.range(range).keys().filter_map(|key| key.map(&key_of).transpose());
            keys.take(PAGE + 1).collect::<sled::Result<Vec<String>>>()
        };
        let mut items = self.read(list).await?;
        let more = items.len() > PAGE;
        items.truncate(PAGE);
        let last = items.last().filter(|_| more);
        let next = last.map(|last| Cursor::new(&self.scope(), last.as_bytes()));
        Ok(Page { items, next })
    }

    async fn swap(&self, key: &str, expected: Option<&Version>, value: Bytes) -> Result<()> {
        let conflict = Error::conflict(format!("the entry {key:?} is not the one that was expected"));
        let (bytes, key, expected) = (value.len(), self.key(key), expected.cloned());
        let swap = move |Open { db, tree, .. }: &Open| {
            let current = tree.get(&key).map_err(said)?;
            let version = current.as_ref().map(entry).transpose()?.map(|entry| entry.version);
            if version != expected {
                return Err(conflict);
            }
            let stored = stored(db, &value)?;
            // What is there now was stored since, under another number.
            tree.compare_and_swap(&key, current, Some(stored)).map_err(said)?.map_err(|_| conflict)
        };
        self.store.write(bytes, swap).await
    }

    async fn increment(&self, key: &str, delta: i64) -> Result<i64> {
        let (name, key) = (key.to_owned(), self.key(key));
        let increment = move |Open { db, tree, .. }: &Open| {
            loop {
                let current = tree.get(&key).map_err(said)?;
                let value = current.as_ref().map(entry).transpose()?.map(|entry| entry.value);
                let sum = add_to_counter(&name, value.as_deref(), delta)?;
                let stored = stored(db, sum.to_string().as_bytes())?;
                // Lost only to another that was successful.
                if tree.compare_and_swap(&key, current, Some(stored)).map_err(said)?.is_ok() {
                    return Ok(sum);
                }
            }
        };
        self.store.write(0, increment).await
    }

    async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Bytes>>> {
        let keys: Vec<_> = keys.iter().map(|key| self.key(key)).collect();
        let found: Vec<Option<IVec>> = self.read(move |tree| keys.iter().map(|key| tree.get(key)).collect()).await?;
        found.iter().map(|stored| Ok(stored.as_ref().map(entry).transpose()?.map(|entry| entry.value))).collect()
    }

    async fn set_many(&self, entries: Vec<(String, Bytes)>) -> Result<()> {
        let entries: Vec<_> = entries.into_iter().map(|(key, value)| (self.key(&key), value)).collect();
        let bytes = entries.iter().map(|(_, value)| value.len()).sum();
        let set = move |Open { db, tree, .. }: &Open| {
            for (key, value) in entries {
                tree.insert(key, stored(db, &value)?).map_err(said)?;
            }
            Ok(())
        };
        self.store.write(bytes, set).await
    }

    async fn delete_many(&self, keys: &[String]) -> Result<()> {
        let keys: Vec<_> = keys.iter().map(|key| self.key(key)).collect();
        let delete =
            move |open: &Open| keys.into_iter().try_for_each(|key| open.tree.remove(key).map(|_| ()).map_err(said));
        self.store.write(0, delete).await
    }
}

/// A value as it is stored, with a version that no other has.
fn stored(db: &sled::Db, value: &[u8]) -> Result<Vec<u8>> {
    let number = db.generate_id().map_err(said)?;
    Ok([&number.to_be_bytes(), value].concat())
}

fn entry(stored: &IVec) -> Result<Entry> {
    let (version, value) = stored.split_first_chunk::<VERSION_BYTES>().ok_or_else(foreign)?;
    Ok(Entry { value: Bytes::copy_from_slice(value), version: Version(Bytes::copy_from_slice(version)) })
}

fn text(key: Vec<u8>) -> Result<String> {
    String::from_utf8(key).map_err(|_| foreign())
}

fn foreign() -> Error {
    Error::other("an entry of the database was not made by slight; give \"key-value\" a location of its own")
}
