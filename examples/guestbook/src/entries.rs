//! The entries in the bucket `guestbook`: `count` is a counter, `entry/<number>` an entry as JSON.

use crate::wasi::keyvalue::store::{self, Error};
use crate::wasi::keyvalue::{atomics, batch};
use serde::{Deserialize, Serialize};

const BUCKET: &str = "guestbook";
const PREFIX: &str = "entry/";

/// What a guest writes.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    name: String,
    message: String,
}

/// An entry with the number that it got.
#[derive(Serialize)]
pub struct Numbered {
    number: u64,
    #[serde(flatten)]
    entry: Entry,
}

/// Keeps an entry; its number, counted from 1.
pub fn add(entry: &Entry) -> Result<i64, Error> {
    let value = serde_json::to_vec(entry).map_err(|error| Error::Other(error.to_string()))?;
    let bucket = store::open(BUCKET)?;
    let number = atomics::increment(&bucket, "count", 1)?;
    bucket.set(&format!("{PREFIX}{number}"), &value)?;
    Ok(number)
}

/// All entries, the newest first.
pub fn all() -> Result<Vec<Numbered>, Error> {
    let bucket = store::open(BUCKET)?;
    let mut entries = Vec::new();
    let mut cursor = None;
    loop {
        let page = bucket.list_keys(cursor.as_deref())?;
        let keys: Vec<String> = page.keys.into_iter().filter(|key| key.starts_with(PREFIX)).collect();
        // An entry that was deleted since the page was made is none here.
        let found = batch::get_many(&bucket, &keys)?.into_iter().flatten();
        entries.extend(found.filter_map(|(key, value)| numbered(&key, &value)));
        cursor = page.cursor;
        if cursor.is_none() {
            break;
        }
    }
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.number));
    // A listing may name a key twice if the bucket changes meanwhile.
    entries.dedup_by_key(|entry| entry.number);
    Ok(entries)
}

/// What another program put into the bucket is passed over.
fn numbered(key: &str, value: &[u8]) -> Option<Numbered> {
    let number = key.strip_prefix(PREFIX)?.parse().ok()?;
    let entry = serde_json::from_slice(value).ok()?;
    Some(Numbered { number, entry })
}
