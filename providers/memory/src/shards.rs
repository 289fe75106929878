use std::{array, collections::BTreeMap, ops::Bound};

use parking_lot::{RwLock, RwLockWriteGuard};
use slight_capabilities::{Cursor, Error, Page, Result};

/// Enough that many cores seldom meet, and few enough that an empty map stays below a kilobyte.
const SHARDS: usize = 16;

/// The most names on a page: how much a guest holds of a listing at a time, and how long a lock is held for one.
const PAGE: usize = 1000;

type Names<V> = BTreeMap<String, V>;

/// A map from names to values behind many locks, that can be listed page by page while it changes.
///
/// A name's shard follows from the name alone. So the last name of a page is all that a cursor must carry: the listing
/// goes on behind it in its shard, then through the shards after. A name that is there throughout is thus listed,
/// whatever else comes and goes.
pub(crate) struct Shards<V> {
    shards: [RwLock<Names<V>>; SHARDS],
}

impl<V> Default for Shards<V> {
    fn default() -> Self {
        Self { shards: array::from_fn(|_| RwLock::default()) }
    }
}

impl<V: Clone> Shards<V> {
    pub(crate) fn get(&self, name: &str) -> Option<V> {
        self.with(name, V::clone)
    }
}

impl<V> Shards<V> {
    /// What `read` makes of the value, if there is one.
    pub(crate) fn with<T>(&self, name: &str, read: impl FnOnce(&V) -> T) -> Option<T> {
        self.shard(name).read().get(name).map(read)
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.shard(name).read().contains_key(name)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.shards.iter().all(|shard| shard.read().is_empty())
    }

    /// Locks the part of the map that holds `name`, for a change that depends on what is there.
    pub(crate) fn lock(&self, name: &str) -> RwLockWriteGuard<'_, Names<V>> {
        self.shard(name).write()
    }

    pub(crate) fn insert(&self, name: &str, value: V) {
        put(&mut self.lock(name), name, value);
    }

    pub(crate) fn remove(&self, name: &str) {
        self.lock(name).remove(name);
    }

    pub(crate) fn clear(&self) {
        for shard in &self.shards {
            shard.write().clear();
        }
    }

    /// One page of names; the cursor is good within `scope` only.
    pub(crate) fn page(&self, scope: &[&str], cursor: Option<&Cursor>) -> Result<Page<String>> {
        let last = cursor.map(|cursor| last_name(scope, cursor)).transpose()?;
        let (first, mut from) = match &last {
            None => (0, Bound::Unbounded),
            Some(name) => (shard_of(name), Bound::Excluded(name.as_str())),
        };
        let mut items = Vec::new();
        for shard in self.shards.iter().skip(first) {
            // One more than a page tells whether there is another, so that none has to be empty.
            let room = (PAGE + 1).saturating_sub(items.len());
            let names = shard.read();
            items.extend(names.range::<str, _>((from, Bound::Unbounded)).take(room).map(|(name, _)| name.clone()));
            from = Bound::Unbounded;
        }
        let more = items.len() > PAGE;
        items.truncate(PAGE);
        let next = items.last().filter(|_| more).map(|name| Cursor::new(scope, name.as_bytes()));
        Ok(Page { items, next })
    }

    #[expect(clippy::indexing_slicing, reason = "shard_of gives indices below SHARDS only")]
    fn shard(&self, name: &str) -> &RwLock<Names<V>> {
        &self.shards[shard_of(name)]
    }
}

/// Stores a value, and makes a new string of the name only where it is new.
pub(crate) fn put<V>(names: &mut Names<V>, name: &str, value: V) {
    match names.get_mut(name) {
        Some(old) => *old = value,
        None => _ = names.insert(name.to_owned(), value),
    }
}

/// The same in every process, as cursors need: who chooses names to fill one shard only slows down that bucket's locks.
fn shard_of(name: &str) -> usize {
    crc32fast::hash(name.as_bytes()) as usize % SHARDS
}

fn last_name(scope: &[&str], cursor: &Cursor) -> Result<String> {
    let name = cursor.payload(scope)?;
    String::from_utf8(name).map_err(|_| Error::invalid("the cursor was not made by this listing"))
}
