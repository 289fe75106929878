//! Marks for uploads under way: by these what is left of one that nobody ended is found.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_nats::HeaderMap;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use slight_capabilities::Result;

use crate::{call::Call, errors};

/// Replaces all messages of the subject by this one.
const ROLLUP: (&str, &str) = ("Nats-Rollup", "sub");

/// How long a mark holds. An upload that takes longer is marked again.
pub(super) const HOLDS: Duration = Duration::from_secs(24 * 3600);

/// How often it is.
pub(super) const RENEWED: Duration = Duration::from_secs(3600);

#[derive(Serialize, Deserialize)]
pub(super) struct Mark {
    /// What is written.
    pub(super) object: String,
    /// When it was marked, in seconds of Unix time.
    since: u64,
}

impl Mark {
    pub(super) fn of(object: &str) -> Self {
        Self { object: object.to_owned(), since: now() }
    }

    pub(super) fn write(&self) -> Result<Bytes> {
        Ok(serde_json::to_vec(self).map_err(errors::odd)?.into())
    }

    /// `None` where it is not one of ours.
    pub(super) fn read(data: &[u8]) -> Option<Self> {
        serde_json::from_slice(data).ok()
    }

    pub(super) fn is_over(&self) -> bool {
        now().saturating_sub(self.since) > HOLDS.as_secs()
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// The headers of a message that is to be the only one of its subject.
pub(super) fn only_one() -> HeaderMap {
    let mut headers = HeaderMap::new();
    let (name, value) = ROLLUP;
    headers.insert(name, value);
    headers
}

/// A message that is to be the only one of its subject.
pub(super) fn replacing(subject: String, payload: Bytes) -> Call {
    Call { subject, headers: Some(only_one()), payload }
}
