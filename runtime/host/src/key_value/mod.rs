//! wasi:keyvalue: handles, routes and limits. The two drafts differ in numbers and cursors only; what they share is
//! here, in the terms of the contracts.

mod cursors;
mod draft;
mod draft2;
mod get;
mod pairs;
mod serve;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::Bytes;
use slight_capabilities::{Access, Cursor, Entry, Error, ErrorKind, Page, Result, canonical, check_key, check_name};
use wasmtime::component::Resource;

pub(crate) use self::{cursors::Cursors, get::link_get, pairs::link_pairs};
use crate::{
    bindings::wasi::{keyvalue0_2_0_draft as bindings_draft, keyvalue0_2_0_draft2 as bindings_draft2},
    guard::Call,
    services::{check_access, find_route},
    slices::{Slices, check_each},
    state::{Shared, State},
};

/// How many keys a backend is asked for in one call of `get-many`: how much they hold together is known only once it is
/// here, and a guest may ask for any number.
const KEYS_AT_A_TIME: usize = 64;

/// How many entries a backend is given in one call of `set-many` or `delete-many`: the time that a call may take is for
/// these, and a guest may ask for any number.
const ENTRIES_AT_A_TIME: usize = 1000;

/// A bucket that the guest has open.
#[derive(Clone)]
pub struct Bucket {
    bucket: Arc<dyn slight_capabilities::Bucket>,
    name: Arc<str>,
    section: Arc<str>,
    access: Access,
}

/// A compare-and-swap in progress: what one key held when it was read.
pub struct Cas {
    bucket: Bucket,
    key: String,
    entry: Option<Entry>,
}

impl Cas {
    /// The bytes that it holds.
    pub(crate) fn size(&self) -> usize {
        self.key.len() + self.entry.as_ref().map_or(0, |entry| entry.value.len())
    }
}

impl Bucket {
    fn call(&self, operation: &'static str) -> Call<'_> {
        Call { section: &self.section, operation, target: &self.name }
    }
}

impl Shared {
    fn check_write(&self, bucket: &Bucket) -> Result<()> {
        let routes = &self.services.key_value;
        self.denials.note(check_access(routes, bucket.access, "key-value", "bucket", &bucket.name))
    }

    fn check_value(&self, key: &str, value: &[u8]) -> Result<()> {
        let (size, limit) = (value.len(), self.limits.value);
        if size <= limit {
            return Ok(());
        }
        Err(Error::too_large(format_args!("the value of key {key:?} (limits.value)"), size as u64, limit as u64))
    }

    fn check_returned(&self, size: usize) -> Result<()> {
        if size <= self.limits.returned {
            return Ok(());
        }
        Err(Error::too_large("the answer (limits.returned)", size as u64, self.limits.returned as u64))
    }

    /// How much the rest would have been nobody knows: it is not asked for.
    fn too_many(&self, read: usize, all: usize, size: usize) -> Error {
        let of = if read < all { format!("the first {read} of {all} values") } else { format!("the {all} values") };
        let limit = self.limits.returned;
        let message = format!(
            "{of} together are {size} bytes, and one call returns at most {limit} bytes (limits.returned); ask for fewer keys \
             at a time"
        );
        Error::new(ErrorKind::TooLarge, message)
    }

    async fn read_entry(&self, bucket: &Bucket, key: &str) -> Result<Option<Entry>> {
        check_key("key", key)?;
        let entry = self.guarded(bucket.call("key-value get"), bucket.bucket.get(key)).await?;
        if let Some(entry) = &entry {
            self.check_returned(entry.value.len())?;
        }
        Ok(entry)
    }
}

/// The calls, as the contracts see them. The outer error is a handle that is not valid, which traps.
impl State {
    async fn open_bucket(&mut self, name: String) -> Result<Resource<Bucket>> {
        let shared = self.shared.clone();
        let route = find_route(&shared.services.key_value, "key-value", "bucket", &name);
        let route = shared.denials.note(route)?;
        let name = canonical(&name);
        check_name("bucket name", name)?;
        let backend = &route.provider;
        let call = Call { section: &backend.section, operation: "key-value open", target: name };
        let bucket = shared.guarded(call, backend.provider.open(&route.qualify(name))).await?;
        self.push(Bucket { bucket, name: name.into(), section: backend.section.clone(), access: route.access })
    }

    async fn get(&mut self, bucket: Resource<Bucket>, key: String) -> wasmtime::Result<Result<Option<Vec<u8>>>> {
        let bucket = self.table.get(&bucket)?;
        let entry = self.shared.read_entry(bucket, &key).await;
        Ok(entry.map(|entry| entry.map(|entry| entry.value.into())))
    }

    async fn set(&mut self, bucket: Resource<Bucket>, key: String, value: Vec<u8>) -> wasmtime::Result<Result<()>> {
        let bucket = self.table.get(&bucket)?;
        Ok(async {
            self.shared.check_write(bucket)?;
            check_key("key", &key)?;
            self.shared.check_value(&key, &value)?;
            self.shared.guarded(bucket.call("key-value set"), bucket.bucket.set(&key, value.into())).await
        }
        .await)
    }

    async fn delete(&mut self, bucket: Resource<Bucket>, key: String) -> wasmtime::Result<Result<()>> {
        let bucket = self.table.get(&bucket)?;
        Ok(async {
            self.shared.check_write(bucket)?;
            check_key("key", &key)?;
            self.shared.guarded(bucket.call("key-value delete"), bucket.bucket.delete(&key)).await
        }
        .await)
    }

    async fn exists(&mut self, bucket: Resource<Bucket>, key: String) -> wasmtime::Result<Result<bool>> {
        let bucket = self.table.get(&bucket)?;
        Ok(async {
            check_key("key", &key)?;
            self.shared.guarded(bucket.call("key-value exists"), bucket.bucket.exists(&key)).await
        }
        .await)
    }

    async fn keys(
        &mut self,
        bucket: &Resource<Bucket>,
        cursor: Option<Cursor>,
    ) -> wasmtime::Result<Result<Page<String>>> {
        let bucket = self.table.get(bucket)?;
        let keys = bucket.bucket.keys(cursor.as_ref());
        let page = self.shared.guarded(bucket.call("key-value list"), keys).await;
        Ok(page.and_then(|page| {
            self.shared.check_returned(page.items.iter().map(String::len).sum())?;
            Ok(page)
        }))
    }

    async fn increment(&mut self, bucket: Resource<Bucket>, key: String, delta: i64) -> wasmtime::Result<Result<i64>> {
        let bucket = self.table.get(&bucket)?;
        Ok(async {
            self.shared.check_write(bucket)?;
            check_key("key", &key)?;
            self.shared.guarded(bucket.call("key-value increment"), bucket.bucket.increment(&key, delta)).await
        }
        .await)
    }

    async fn get_many(
        &mut self,
        bucket: Resource<Bucket>,
        keys: Vec<String>,
    ) -> wasmtime::Result<Result<Vec<(String, Option<Vec<u8>>)>>> {
        let bucket = self.table.get(&bucket)?;
        Ok(async {
            check_each(&keys, |key| check_key("key", key)).await?;
            let (all, mut size) = (keys.len(), 0);
            let (mut values, mut slices) = (Vec::with_capacity(all), Slices::begin());
            for keys in keys.chunks(KEYS_AT_A_TIME) {
                slices.pause().await;
                let some = self.shared.guarded(bucket.call("key-value get-many"), bucket.bucket.get_many(keys)).await?;
                size += some.iter().flatten().map(Bytes::len).sum::<usize>();
                if size > self.shared.limits.returned {
                    return Err(self.shared.too_many(values.len() + some.len(), all, size));
                }
                values.extend(some.into_iter().map(|value| value.map(Into::into)));
            }
            Ok(keys.into_iter().zip(values).collect())
        }
        .await)
    }

    async fn set_many(
        &mut self,
        bucket: Resource<Bucket>,
        entries: Vec<(String, Vec<u8>)>,
    ) -> wasmtime::Result<Result<()>> {
        let bucket = self.table.get(&bucket)?;
        Ok(async {
            self.shared.check_write(bucket)?;
            check_each(&entries, |(key, value)| {
                check_key("key", key)?;
                self.shared.check_value(key, value)
            })
            .await?;
            let mut entries = entries.into_iter().map(|(key, value)| (key, value.into())).peekable();
            let mut slices = Slices::begin();
            while entries.peek().is_some() {
                slices.pause().await;
                let some = entries.by_ref().take(ENTRIES_AT_A_TIME).collect();
                self.shared.guarded(bucket.call("key-value set-many"), bucket.bucket.set_many(some)).await?;
            }
            Ok(())
        }
        .await)
    }

    async fn delete_many(&mut self, bucket: Resource<Bucket>, keys: Vec<String>) -> wasmtime::Result<Result<()>> {
        let bucket = self.table.get(&bucket)?;
        Ok(async {
            self.shared.check_write(bucket)?;
            check_each(&keys, |key| check_key("key", key)).await?;
            let mut slices = Slices::begin();
            for keys in keys.chunks(ENTRIES_AT_A_TIME) {
                slices.pause().await;
                self.shared.guarded(bucket.call("key-value delete-many"), bucket.bucket.delete_many(keys)).await?;
            }
            Ok(())
        }
        .await)
    }
}
