use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::{Cursor, Error, Page, QualifiedName, Result};

/// Buckets of keys and values.
///
/// # Behavior
/// - **two buckets are isolated**: a key of one is not seen, listed, changed or counted in another; also where one name
///   is the start of the other, and where names differ only in what an encoding might lose (`a`, `A`, `a/`, `a:b`).
/// - **a prefix isolates buckets**: the same name under two prefixes is two buckets; and prefix and name together are never
///   another prefix with another name (`shop` with `-a`, `shop-` with `a`).
/// - **bucket names may hold any characters**: as keys, to 128 bytes.
/// - **a second open sees the writes of the first**: a name opened again is the same bucket.
/// - **opening makes nothing visible**: a bucket never written to lists as empty, and opening needs no write.
#[async_trait]
pub trait KeyValue: Send + Sync + 'static {
    /// Opens a bucket. A bucket that the route allows always exists.
    ///
    /// # Errors
    /// `NotFound` when the backend's location is gone, `Denied`, `Unavailable`, `Timeout`.
    async fn open(&self, bucket: &QualifiedName) -> Result<Arc<dyn Bucket>>;

    /// Whether buckets can be read without waiting, by [`Bucket::get_at_once`]. The host then does not suspend the guest
    /// for a read, which for a store in this process is a good part of the cost.
    fn reads_at_once(&self) -> bool {
        false
    }
}

/// What tells one state of an entry from another: opaque, and good only for [`Bucket::swap`] on the same entry.
///
/// An entry that was changed and changed back may have the version that it had before: some backends compare values. Who
/// has to notice that keeps a number in the value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Version(pub Bytes);

/// A value, with the version to compare against when it is swapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The value.
    pub value: Bytes,
    /// The state of the entry at the time of reading.
    pub version: Version,
}

/// One bucket: keys of 1 to 512 bytes of any UTF-8, values of any bytes to at least 512 KiB.
///
/// The runtime has checked the sizes of keys before it calls. Calls may run at the same time, from many tasks.
///
/// A lost answer: `swap` and `increment` are `Timeout`, since doing them again would matter. All other calls may be sent again
/// by the provider, and then say `Unavailable` or `Timeout`; to the caller, too, repeating them does no harm.
///
/// # Behavior
/// - **a value comes back byte for byte**: `get` after `set` gives the same bytes, whatever they are.
/// - **an empty value is not a missing one**: an empty value is kept, and `get` gives it.
/// - **a missing key reads as none**: `get` is `None` and `exists` is false.
/// - **set overwrites**: the last `set` that returned is what is read.
/// - **delete removes the entry**: after it `get` is `None` and the key is not listed.
/// - **delete of a missing key succeeds**: it is idempotent.
/// - **keys may hold any characters**: `:` `*` `?` `[` `\` `/` `//` `..` spaces, line breaks, emoji, `%2F`, NUL, 512 bytes.
/// - **keys are told apart exactly**: by bytes; no folding of case, Unicode forms, slashes or encodings.
/// - **a value of 512 KiB is kept**: on every provider with default settings.
/// - **a larger value is kept or too large**: 8 MiB either round-trips or is `TooLarge`, at once, and never truncated.
/// - **writes are read at once**: read-your-writes holds for `get`, `exists`, `keys` and `get_many`.
///
/// Listing:
/// - **an empty bucket lists as one empty page**: no items, no cursor.
/// - **every key is listed once**: 1,025 keys come in pages, each key once while nothing changes.
/// - **no page is empty unless it is the last**: so a caller may stop at an empty page.
/// - **keys present throughout are listed while others are deleted**: at least once each.
/// - **a made up cursor is invalid**: also a cursor of another bucket; never a wrong page.
///
/// Swap:
/// - **swap creates an absent key once**: `expected = None` succeeds only while there is no entry.
/// - **swap replaces the version it saw**: with the current version it succeeds, and the value is changed.
/// - **swap with an old version is a conflict**: after any write in between that changed the value, and nothing is changed.
/// - **swap on a deleted key is a conflict**: a version of an entry since deleted is not current.
/// - **swap tells an empty value from an absent one**: `expected = None` conflicts with an empty value.
/// - **racing swaps have one winner**: of many swaps from one version exactly one succeeds.
///
/// Counters:
/// - **increment starts from zero**: on an absent key it stores `delta`.
/// - **increment adds and returns the sum**: also for negative deltas and zero.
/// - **a counter reads as decimal text**: `get` after `increment` gives canonical ASCII decimal, and `set` of such text can
///   be incremented.
/// - **increment of something else is invalid**: `abc`, `+1`, `01`, ` 1`, the empty value; the value stays as it was.
/// - **increment beyond 64 bits is an error**: never a wrap, and the value stays as it was.
/// - **racing increments lose none**: 5 tasks × 100 increments of one key end at 500.
/// - **increments and swaps mix**: a version read before an increment conflicts after it.
///
/// Dropped calls:
/// - **a dropped call is done or not done**: the runtime drops a call that takes longer than `limits.backend-timeout`. It is
///   then done, or not, or will be soon; nothing is half done, and all other calls go on.
///   Of a batch, some entries may be.
///
/// Batches (not atomic):
/// - **get many keeps the order and marks what is missing**: also when a key is asked for twice.
/// - **set many sets all**: and the last one wins where a key is given twice.
/// - **delete many deletes all**: missing keys are no error.
/// - **empty batches succeed**: and change nothing.
#[async_trait]
pub trait Bucket: Send + Sync + 'static {
    /// Reads a value and its version.
    async fn get(&self, key: &str) -> Result<Option<Entry>>;

    /// Reads a value without waiting. Called only where [`KeyValue::reads_at_once`] is true.
    ///
    /// # Errors
    /// `Other` where it is false.
    fn get_at_once(&self, key: &str) -> Result<Option<Bytes>> {
        Err(Error::other(format!("the key {key:?} cannot be read without waiting")))
    }

    /// Stores a value. `Ok` means as durable as the provider ever is.
    ///
    /// # Errors
    /// `TooLarge` with the limit in the sentence.
    async fn set(&self, key: &str, value: Bytes) -> Result<()>;

    /// Removes an entry, if there is one.
    async fn delete(&self, key: &str) -> Result<()>;

    /// Whether there is an entry: one request for metadata where the backend has one.
    async fn exists(&self, key: &str) -> Result<bool> {
        Ok(self.get(key).await?.is_some())
    }

    /// One page of keys, in no promised order.
    ///
    /// # Errors
    /// `Invalid` for a cursor that this bucket did not give.
    async fn keys(&self, cursor: Option<&Cursor>) -> Result<Page<String>>;

    /// Stores a value if the entry is still in the state `expected`; `None` expects that there is none.
    ///
    /// # Errors
    /// `Conflict` when it is not: then nothing was changed, for certain. `Timeout` when the answer was lost: the value
    /// may or may not have been stored.
    async fn swap(&self, key: &str, expected: Option<&Version>, value: Bytes) -> Result<()>;

    /// Adds `delta` to a counter, atomically, and returns the sum.
    ///
    /// # Errors
    /// `Invalid` when the value is no counter or the sum does not fit an `i64`; `Timeout` when the answer was lost or
    /// conflicts did not end in time.
    async fn increment(&self, key: &str, delta: i64) -> Result<i64>;

    /// Reads many values: one per key, in order.
    async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Bytes>>> {
        let mut values = Vec::with_capacity(keys.len());
        for key in keys {
            values.push(self.get(key).await?.map(|entry| entry.value));
        }
        Ok(values)
    }

    /// Stores many values, in order. Not atomic: on an error some may be stored.
    async fn set_many(&self, entries: Vec<(String, Bytes)>) -> Result<()> {
        for (key, value) in entries {
            self.set(&key, value).await?;
        }
        Ok(())
    }

    /// Removes many entries. Not atomic: on an error some may be gone.
    async fn delete_many(&self, keys: &[String]) -> Result<()> {
        for key in keys {
            self.delete(key).await?;
        }
        Ok(())
    }
}
