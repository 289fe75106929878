use std::{collections::HashMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use azure_core::http::Etag;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use slight_capabilities::{
    Bucket, Cursor, Entry, Error, ErrorKind, KeyValue, Page, QualifiedName, Result, Version, add_to_counter,
};
use tokio::time::{Instant, sleep_until};

use crate::{
    attempts::{Lost, jittered},
    link::Link,
    listing,
    location::{Location, Required},
    names,
    settings::KeyValueSettings,
};

/// The largest value. Azure would take more in one request, which no guest can hold.
pub(crate) const MAX_VALUE_BYTES: u64 = 256 * 1024 * 1024;

/// How many requests of one call for many keys are under way at a time.
const AT_ONCE: usize = 16;

/// The pauses of an increment after conflicts: at most this long, twice as long each time, and at most the second.
const FIRST_PAUSE: Duration = Duration::from_millis(4);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// All buckets in one container of the storage account.
pub(crate) struct Buckets {
    pub(crate) location: Arc<Location>,
}

impl Buckets {
    pub(crate) fn new(link: Arc<Link>, settings: &KeyValueSettings) -> Self {
        Self { location: Arc::new(Location::new(link, &settings.location, settings.create)) }
    }
}

#[async_trait]
impl KeyValue for Buckets {
    async fn open(&self, name: &QualifiedName) -> Result<Arc<dyn Bucket>> {
        self.location.prepare().await?;
        Ok(Arc::new(AzureBucket { location: self.location.clone(), directory: names::directory(name) }))
    }
}

/// One bucket: each entry is a blob in the bucket's directory.
struct AzureBucket {
    location: Arc<Location>,
    directory: String,
}

impl AzureBucket {
    fn blob(&self, key: &str) -> String {
        format!("{}{}", self.directory, names::write(key))
    }

    fn deadline(&self) -> Instant {
        self.location.link.deadline()
    }

    async fn read(&self, key: &str, deadline: Instant) -> Result<Option<(Bytes, Etag)>> {
        self.location.get(&self.blob(key), MAX_VALUE_BYTES, deadline).await
    }

    async fn replace(&self, key: &str, required: Required, value: Bytes, deadline: Instant) -> Result<()> {
        check_size(key, &value)?;
        let stored = self.location.put(&self.blob(key), value, required, Lost::Report, deadline).await;
        stored.map_err(|failure| match failure.is_conflict() || failure.is_missing() {
            true => Error::conflict(format!("the entry {key:?} is not the one that was expected")),
            false => self.location.error(failure),
        })
    }
}

fn check_size(key: &str, value: &Bytes) -> Result<()> {
    if value.len() as u64 > MAX_VALUE_BYTES {
        return Err(Error::too_large(format!("the value of key {key:?}"), value.len() as u64, MAX_VALUE_BYTES));
    }
    Ok(())
}

#[async_trait]
impl Bucket for AzureBucket {
    async fn get(&self, key: &str) -> Result<Option<Entry>> {
        let found = self.read(key, self.deadline()).await?;
        Ok(found.map(|(value, version)| Entry { value, version: Version(String::from(version).into()) }))
    }

    async fn set(&self, key: &str, value: Bytes) -> Result<()> {
        check_size(key, &value)?;
        let (blob, deadline) = (self.blob(key), self.deadline());
        let stored = self.location.put(&blob, value, Required::Anything, Lost::SendAgain, deadline).await;
        stored.map_err(|failure| self.location.error(failure))
    }

    async fn delete(&self, key: &str) -> Result<()> {
        self.location.delete(&self.blob(key)).await
    }

    async fn exists(&self, key: &str) -> Result<bool> {
        self.location.has(&self.blob(key)).await
    }

    async fn keys(&self, cursor: Option<&Cursor>) -> Result<Page<String>> {
        listing::page(&self.location, &self.directory, names::read, cursor).await
    }

    async fn swap(&self, key: &str, expected: Option<&Version>, value: Bytes) -> Result<()> {
        let required = match expected {
            None => Required::Nothing,
            Some(Version(version)) => {
                let version =
                    std::str::from_utf8(version).map_err(|_| Error::invalid("the version is not one of Azure"))?;
                Required::Version(Etag::from(version))
            }
        };
        self.replace(key, required, value, self.deadline()).await
    }

    async fn increment(&self, key: &str, delta: i64) -> Result<i64> {
        let deadline = self.deadline();
        let mut longest = FIRST_PAUSE;
        loop {
            let found = self.read(key, deadline).await?;
            let sum = add_to_counter(key, found.as_ref().map(|(value, _)| &**value), delta)?;
            let required = found.map_or(Required::Nothing, |(_, version)| Required::Version(version));
            match self.replace(key, required, sum.to_string().into(), deadline).await {
                Ok(()) => return Ok(sum),
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                Err(error) => return Err(error),
            }
            let again = Instant::now() + jittered(longest);
            if again >= deadline {
                return Err(Error::timeout(format!(
                    "the counter {key:?} was not incremented: others changed it all the time"
                )));
            }
            sleep_until(again).await;
            longest = (longest * 2).min(LONGEST_PAUSE);
        }
    }

    async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Bytes>>> {
        let deadline = self.deadline();
        let reads: Vec<_> = keys.iter().map(|key| self.read(key, deadline)).collect();
        stream::iter(reads).buffered(AT_ONCE).map_ok(|found| found.map(|(value, _)| value)).try_collect().await
    }

    async fn set_many(&self, entries: Vec<(String, Bytes)>) -> Result<()> {
        // At the same time: so the last one of a key has to be the only one.
        let last: HashMap<String, Bytes> = entries.into_iter().collect();
        let writes: Vec<_> = last.iter().map(|(key, value)| self.set(key, value.clone())).collect();
        stream::iter(writes).buffer_unordered(AT_ONCE).try_collect().await
    }

    async fn delete_many(&self, keys: &[String]) -> Result<()> {
        let deletes: Vec<_> = keys.iter().map(|key| self.delete(key)).collect();
        stream::iter(deletes).buffer_unordered(AT_ONCE).try_collect().await
    }
}
