//! An entry of a bucket as an object, with its ETag for a version.

use bytes::Bytes;
use slight_capabilities::{Entry, Error, Result, Version};
use tokio::time::{Instant, timeout_at};

use crate::{
    errors::{self, Failure},
    pause::Pause,
    store::{Store, ask, ask_once, once},
};

/// The largest value: all of it is in memory at once.
pub(crate) const MAX_VALUE_BYTES: u64 = 64 * 1024 * 1024;

/// What reading an object gave.
pub(crate) struct Read {
    size: u64,
    etag: Option<String>,
    /// Not read where it is too large.
    value: Bytes,
}

impl Read {
    pub(crate) fn checked(self, key: &str) -> Result<Entry> {
        if self.size > MAX_VALUE_BYTES {
            return Err(Error::too_large(format!("the value of key {key:?}"), self.size, MAX_VALUE_BYTES));
        }
        let etag = self.etag.ok_or_else(errors::odd)?;
        Ok(Entry { value: self.value, version: Version(etag.into()) })
    }
}

/// Reads an object whole. Where the connection breaks on the way, once more from the start.
pub(crate) async fn read(store: &Store, key: &str, deadline: Instant) -> Result<Read, Failure> {
    match read_once(store, key, deadline).await {
        Err(failure) if failure.is_transient() && Pause::default().wait(deadline).await => {
            read_once(store, key, deadline).await
        }
        read => read,
    }
}

async fn read_once(store: &Store, key: &str, deadline: Instant) -> Result<Read, Failure> {
    let get = store.client.get_object().bucket(store.bucket()).key(key);
    let answer = ask(deadline, get.send()).await?;
    let size = answer.content_length.and_then(|size| u64::try_from(size).ok()).unwrap_or_default();
    let mut read = Read { size, etag: answer.e_tag, value: Bytes::new() };
    if size > MAX_VALUE_BYTES {
        return Ok(read);
    }
    let body = timeout_at(deadline, answer.body.collect()).await.map_err(|_| Failure::late())?;
    read.value = body.map_err(Failure::broken)?.into_bytes();
    if read.value.len() as u64 == size { Ok(read) } else { Err(Failure::broken("the value was cut")) }
}

/// Writes an object if its ETag is the expected one; without one, if it is not there. Sent once.
pub(crate) async fn write(
    store: &Store,
    key: &str,
    expected: Option<&Version>,
    value: Bytes,
    deadline: Instant,
) -> Result<(), Failure> {
    // No ETag of S3's is anything but text; what is, is no version of this entry.
    let etag = expected.map(|Version(etag)| String::from_utf8_lossy(etag).into_owned());
    let absent = etag.is_none().then(|| "*".to_owned());
    let send = || {
        let put = store.client.put_object().bucket(store.bucket()).key(key).body(value.clone().into());
        let put = put.set_if_match(etag.clone()).set_if_none_match(absent.clone());
        put.customize().config_override(once()).send()
    };
    ask_once(deadline, send).await.map(drop)
}
