use std::{ops::Bound, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use redb::{ReadTransaction, ReadableTable, Table, TableDefinition};
use slight_capabilities::{
    Bucket, Cursor, Entry, Error, KeyValue, Page, QualifiedName, Readiness, Result, Version, add_to_counter,
};

use crate::{
    errors::{Failure, MAX_VALUE_BYTES},
    store::Store,
    writer::Changes,
};

/// How many keys a page has.
const PAGE: usize = 1000;

/// Bytes before every value: the number of the write that stored it, which is its version.
const VERSION_BYTES: usize = 8;

/// The largest value.
pub(crate) const LARGEST: u64 = MAX_VALUE_BYTES - VERSION_BYTES as u64;

/// All buckets: one table, with the encoded name of the bucket and the key as its key.
type Definition<'a> = TableDefinition<'a, (&'static str, &'static str), &'static [u8]>;
type Entries<'a> = Table<'a, (&'static str, &'static str), &'static [u8]>;

#[derive(Clone)]
pub(crate) struct Buckets {
    store: Arc<Store>,
    table: Arc<str>,
}

impl Buckets {
    pub(crate) fn new(store: Arc<Store>, location: &str) -> Self {
        Self { store, table: format!("key-value/{location}").into() }
    }

    pub(crate) async fn prepare(&self, create: bool) -> Result<()> {
        let table = self.table.clone();
        if !self.store.prepare(table.to_string(), create).await? {
            return Ok(());
        }
        let open = move |changes: &mut Changes<'_>| Ok(_ = changes.transaction.open_table(definition(&table))?);
        let again = open.clone();
        self.store.set_up(move |changes, _| again(changes));
        self.store.write(0, open).await
    }

    pub(crate) async fn inspect(&self, create: bool) -> Result<Readiness> {
        self.store.inspect(self.table.to_string(), create).await
    }
}

fn definition(table: &str) -> Definition<'_> {
    TableDefinition::new(table)
}

#[async_trait]
impl KeyValue for Buckets {
    async fn open(&self, bucket: &QualifiedName) -> Result<Arc<dyn Bucket>> {
        Ok(Arc::new(RedbBucket { buckets: self.clone(), name: bucket.encoded().into() }))
    }
}

struct RedbBucket {
    buckets: Buckets,
    name: Arc<str>,
}

impl RedbBucket {
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&ReadTransaction, Definition<'_>, &str) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T> {
        let (table, bucket) = (self.buckets.table.clone(), self.name.clone());
        self.buckets.store.read(move |snapshot| read(snapshot, definition(&table), &bucket)).await
    }

    async fn write<T: Send + 'static>(
        &self,
        bytes: usize,
        write: impl FnOnce(&mut Entries<'_>, &str, u64) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T> {
        let (table, bucket) = (self.buckets.table.clone(), self.name.clone());
        let change = move |changes: &mut Changes<'_>| {
            let number = changes.number();
            write(&mut changes.transaction.open_table(definition(&table))?, &bucket, number)
        };
        self.buckets.store.write(bytes, change).await
    }
}

#[async_trait]
impl Bucket for RedbBucket {
    async fn get(&self, key: &str) -> Result<Option<Entry>> {
        let key = key.to_owned();
        self.read(move |snapshot, table, bucket| {
            let stored = snapshot.open_table(table)?.get((bucket, &*key))?;
            Ok(stored.map(|stored| entry(stored.value())).transpose()?)
        })
        .await
    }

    async fn set(&self, key: &str, value: Bytes) -> Result<()> {
        self.set_many(vec![(key.to_owned(), value)]).await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        self.delete_many(&[key.to_owned()]).await
    }

    async fn exists(&self, key: &str) -> Result<bool> {
        let key = key.to_owned();
        self.read(move |snapshot, table, bucket| Ok(snapshot.open_table(table)?.get((bucket, &*key))?.is_some())).await
    }

    async fn keys(&self, cursor: Option<&Cursor>) -> Result<Page<String>> {
        let last = cursor.map(|cursor| last_key(cursor, &self.name)).transpose()?;
        self.read(move |snapshot, table, bucket| {
            let start = match &last {
                None => Bound::Included((bucket, "")),
                Some(last) => Bound::Excluded((bucket, &**last)),
            };
            let mut items = Vec::new();
            for entry in snapshot.open_table(table)?.range::<(&str, &str)>((start, Bound::Unbounded))? {
                let (key, _) = entry?;
                let (of, key) = key.value();
                if of != bucket {
                    break;
                }
                if items.len() == PAGE {
                    let next = items.last().map(|last: &String| Cursor::new(&scope(bucket), last.as_bytes()));
                    return Ok(Page { items, next });
                }
                items.push(key.to_owned());
            }
            Ok(Page { items, next: None })
        })
        .await
    }

    async fn swap(&self, key: &str, expected: Option<&Version>, value: Bytes) -> Result<()> {
        check_size(&value)?;
        let (key, expected) = (key.to_owned(), expected.cloned());
        self.write(value.len(), move |entries, bucket, number| {
            let current = match entries.get((bucket, &*key))? {
                None => None,
                Some(stored) => Some(parts(stored.value())?.0.to_be_bytes()),
            };
            if current.as_ref().map(<[u8; 8]>::as_slice) != expected.as_ref().map(|version| &*version.0) {
                return Err(Error::conflict(format!("the entry {key:?} is not the one that was expected")).into());
            }
            put(entries, bucket, &key, number, &value)
        })
        .await
    }

    async fn increment(&self, key: &str, delta: i64) -> Result<i64> {
        let key = key.to_owned();
        self.write(0, move |entries, bucket, number| {
            let sum = match entries.get((bucket, &*key))? {
                None => add_to_counter(&key, None, delta)?,
                Some(stored) => add_to_counter(&key, Some(parts(stored.value())?.1), delta)?,
            };
            put(entries, bucket, &key, number, sum.to_string().as_bytes())?;
            Ok(sum)
        })
        .await
    }

    async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Bytes>>> {
        let keys = keys.to_vec();
        self.read(move |snapshot, table, bucket| {
            let entries = snapshot.open_table(table)?;
            let value = |key: &String| -> Result<_, Failure> {
                let Some(stored) = entries.get((bucket, &**key))? else { return Ok(None) };
                Ok(Some(entry(stored.value())?.value))
            };
            keys.iter().map(value).collect()
        })
        .await
    }

    async fn set_many(&self, entries: Vec<(String, Bytes)>) -> Result<()> {
        if entries.is_empty() {
            return Ok(());
        }
        entries.iter().try_for_each(|(_, value)| check_size(value))?;
        let bytes = entries.iter().map(|(_, value)| value.len()).sum();
        self.write(bytes, move |table, bucket, number| {
            entries.iter().try_for_each(|(key, value)| put(table, bucket, key, number, value))
        })
        .await
    }

    async fn delete_many(&self, keys: &[String]) -> Result<()> {
        if keys.is_empty() {
            return Ok(());
        }
        let keys = keys.to_vec();
        self.write(0, move |table, bucket, _| {
            for key in &keys {
                table.remove((bucket, &**key))?;
            }
            Ok(())
        })
        .await
    }
}

/// Checked before the transaction: what fails within it fails the writes of others.
fn check_size(value: &Bytes) -> Result<()> {
    let size = value.len() as u64;
    if size > LARGEST { Err(Error::too_large("the value", size, LARGEST)) } else { Ok(()) }
}

fn put(entries: &mut Entries<'_>, bucket: &str, key: &str, number: u64, value: &[u8]) -> Result<(), Failure> {
    let mut stored = entries.insert_reserve((bucket, key), VERSION_BYTES + value.len())?;
    if let Some((version, rest)) = stored.as_mut().split_first_chunk_mut::<VERSION_BYTES>() {
        *version = number.to_be_bytes();
        rest.copy_from_slice(value);
    }
    Ok(())
}

fn entry(stored: &[u8]) -> Result<Entry> {
    let (number, value) = parts(stored)?;
    let version = Version(Bytes::copy_from_slice(&number.to_be_bytes()));
    Ok(Entry { value: Bytes::copy_from_slice(value), version })
}

fn parts(stored: &[u8]) -> Result<(u64, &[u8])> {
    let (number, value) = stored.split_first_chunk::<VERSION_BYTES>().ok_or_else(|| {
        Error::other("an entry is too short to be one of slight; give \"key-value\" a location of its own in this file")
    })?;
    Ok((u64::from_be_bytes(*number), value))
}

fn scope(bucket: &str) -> [&str; 2] {
    ["redb", bucket]
}

fn last_key(cursor: &Cursor, bucket: &str) -> Result<String> {
    let key = cursor.payload(&scope(bucket))?;
    String::from_utf8(key)
        .map_err(|_| Error::invalid("the cursor was not made by this listing; start again without one"))
}
