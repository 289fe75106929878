use std::{collections::HashMap, sync::Arc};

use async_nats::{HeaderMap, HeaderValue};
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use slight_capabilities::{
    Bucket, Cursor, Entry, Error, ErrorKind, Page, Result, Version, add_to_counter, decode_name, encode_name,
};
use tokio::time::{Instant, sleep, timeout_at};

use super::counters::{Turns, jitter};
use crate::{
    call::Call,
    errors,
    link::Lost,
    listing::{self, Listing},
    location::Location,
    stream::{Stored, is_marker},
    target::RESPONSE,
};

const EXPECTED: &str = "Nats-Expected-Last-Subject-Sequence";

/// What the headers of a swap take at most. A value that can be set can be swapped, so that all are limited by it.
const HEADERS: usize = 128;

/// How many requests of a batch are under way at the same time.
const WINDOW: usize = 128;

/// One bucket: each entry is the last message of a subject.
pub(crate) struct NatsBucket {
    location: Arc<Location>,
    /// What the subjects begin with.
    prefix: String,
    turns: Arc<Turns>,
}

impl NatsBucket {
    /// The bucket of those subjects that begin with `prefix`.
    pub(crate) fn new(location: &Arc<Location>, prefix: String, turns: &Arc<Turns>) -> Self {
        Self { location: location.clone(), prefix, turns: turns.clone() }
    }

    fn subject(&self, key: &str) -> String {
        format!("{}{}", self.prefix, encode_name(key))
    }

    /// The entry with its sequence; the sequence alone, not 0, where a client of another kind has left a marker.
    async fn read(&self, key: &str) -> Result<(u64, Option<Bytes>)> {
        let subject = self.subject(key);
        let stored = self.location.ask(|| self.location.stream.last(&subject)).await?;
        Ok(stored.map_or((0, None), |stored| (stored.sequence, (!stored.is_marker).then_some(stored.data))))
    }

    async fn write(&self, key: &str, value: Bytes, expected: Option<u64>) -> Result<()> {
        let stream = &self.location.stream;
        let limit = stream.link.max_payload().await?.saturating_sub(HEADERS);
        if value.len() > limit {
            return Err(Error::too_large(format!("the value of key {key:?}"), value.len() as u64, limit as u64));
        }
        let headers = expected.map(|sequence| {
            let mut headers = HeaderMap::new();
            headers.insert(EXPECTED, HeaderValue::from(sequence));
            headers
        });
        // A second attempt would not find what it expects, and report a conflict with itself.
        let lost = if expected.is_some() { Lost::Report } else { Lost::SendAgain };
        let call = Call { subject: self.subject(key), headers, payload: value };
        self.location.ask(|| stream.publish(&call, lost)).await.map(drop)
    }

    /// Takes turns with the increments of this process, and races those of others.
    async fn increment_by(&self, deadline: Instant, key: &str, delta: i64) -> Result<i64> {
        let turn = timeout_at(deadline, self.turns.wait(&self.subject(key))).await;
        let _turn = turn.map_err(|_| kept_waiting(key))?;
        for lost in 0.. {
            let read = timeout_at(deadline, self.read(key)).await.unwrap_or_else(|_| Err(errors::late()));
            let (sequence, value) = read.map_err(|error| match error.kind() {
                ErrorKind::Timeout => unread(key, lost).with_source(error),
                _ => error,
            })?;
            let sum = add_to_counter(key, value.as_deref(), delta)?;
            let writing = self.write(key, sum.to_string().into(), Some(sequence));
            match timeout_at(deadline, writing).await.unwrap_or_else(|_| Err(errors::late())) {
                Err(error) if error.kind() == ErrorKind::Conflict => sleep(jitter(lost)).await,
                result => return result.map(|()| sum),
            }
        }
        Err(Error::other("the counter was tried too often"))
    }

    fn key(&self, subject: &str) -> Option<String> {
        decode_name(subject.strip_prefix(&self.prefix)?)
    }
}

/// An increment whose turn did not come: nothing was sent.
fn kept_waiting(key: &str) -> Error {
    Error::unavailable(format!(
        "the counter {key:?} was not incremented: those of this process that came first took all the time"
    ))
}

/// An increment that could not read the counter in time, after so many lost races: nothing was changed.
fn unread(key: &str, lost: u32) -> Error {
    match lost {
        0 => Error::unavailable(format!("the counter {key:?} was not incremented: NATS did not answer in time")),
        _ => Error::timeout(format!(
            "the counter {key:?} was not incremented in time: others have changed it {lost} times meanwhile"
        )),
    }
}

fn conflict(key: &str) -> Error {
    Error::conflict(format!("the entry {key:?} is not the one that was expected"))
}

#[async_trait]
impl Bucket for NatsBucket {
    async fn get(&self, key: &str) -> Result<Option<Entry>> {
        let (sequence, value) = self.read(key).await?;
        let version = Version(Bytes::copy_from_slice(&sequence.to_be_bytes()));
        Ok(value.map(|value| Entry { value, version }))
    }

    async fn set(&self, key: &str, value: Bytes) -> Result<()> {
        self.write(key, value, None).await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        // Without a marker, which would stay for ever and be looked at by every listing.
        let subject = self.subject(key);
        self.location.ask(|| self.location.stream.purge(&subject, None)).await
    }

    async fn keys(&self, cursor: Option<&Cursor>) -> Result<Page<String>> {
        let listing = Listing {
            scope: &["nats", &self.prefix],
            filter: &format!("{}>", self.prefix),
            headers_only: true,
            name: &|message| if is_marker(message.headers.as_ref()) { None } else { self.key(&message.subject) },
            name_of_stored: &|stored: &Stored| if stored.is_marker { None } else { self.key(&stored.subject) },
        };
        self.location.ask(|| listing::page(&self.location.stream, &listing, cursor)).await
    }

    async fn swap(&self, key: &str, expected: Option<&Version>, value: Bytes) -> Result<()> {
        let sequence = match expected {
            Some(Version(version)) => u64::from_be_bytes(version.as_ref().try_into().map_err(|_| conflict(key))?),
            None => 0,
        };
        match self.write(key, value.clone(), Some(sequence)).await {
            Err(error) if error.kind() != ErrorKind::Conflict => Err(error),
            Err(_) if expected.is_none() => match self.read(key).await? {
                (marker @ 1.., None) => {
                    self.write(key, value, Some(marker)).await.map_err(|error| match error.kind() {
                        ErrorKind::Conflict => conflict(key),
                        _ => error,
                    })
                }
                _ => Err(conflict(key)),
            },
            Err(_) => Err(conflict(key)),
            Ok(()) => Ok(()),
        }
    }

    async fn increment(&self, key: &str, delta: i64) -> Result<i64> {
        self.increment_by(Instant::now() + RESPONSE, key, delta).await
    }

    async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Bytes>>> {
        let reads = stream::iter(keys.to_vec()).map(|key| async move { Ok(self.read(&key).await?.1) });
        reads.buffered(WINDOW).try_collect().await
    }

    async fn set_many(&self, entries: Vec<(String, Bytes)>) -> Result<()> {
        // They are under way at the same time: of two values of a key the last one counts.
        let last: HashMap<String, Bytes> = entries.into_iter().collect();
        let writes = stream::iter(last).map(|(key, value)| async move { self.write(&key, value, None).await });
        writes.buffer_unordered(WINDOW).try_collect().await
    }

    async fn delete_many(&self, keys: &[String]) -> Result<()> {
        let deletes = stream::iter(keys.to_vec()).map(|key| async move { self.delete(&key).await });
        deletes.buffer_unordered(WINDOW).try_collect().await
    }
}
