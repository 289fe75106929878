//! Deliveries that nobody took: the server counts them, and its count cannot be lowered.
//!
//! Beside the stream of the messages there is one that says of a message how many of its deliveries to a group count for
//! nothing. It is written when a message is given back that was not begun, and read when one comes for the second time or
//! later, so that messages that are handled the first time cost nothing. Where it is lost, counts are too high.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_nats::jetstream::stream::Config;
use slight_capabilities::{Bucket, ErrorKind, Result};

use crate::{
    key_value::{NatsBucket, Turns},
    link::Link,
    location::{Location, config},
    settings::MessagingSettings,
};

/// How long it is known after the last time that a message was given back.
const KNOWN: Duration = Duration::from_secs(7 * 24 * 3600);

/// Ends the name of the stream. No location holds a `=`.
const END: &str = "=uncounted";

pub(super) struct Uncounted {
    location: Arc<Location>,
    /// What the subjects begin with.
    prefix: String,
    bucket: NatsBucket,
    warned: AtomicBool,
}

impl Uncounted {
    pub(super) fn new(link: &Link, settings: &MessagingSettings) -> Self {
        let MessagingSettings { location: name, create, replicas, storage, .. } = settings;
        let name = format!("{name}{END}");
        let config = Config {
            max_messages_per_subject: 1,
            max_age: KNOWN,
            ..config(name.clone(), vec![format!("{name}.>")], *storage, *replicas, None)
        };
        let (location, prefix) = (Arc::new(Location::new(link, "messaging", config, *create)), format!("{name}."));
        let bucket = NatsBucket::new(&location, prefix.clone(), &Arc::<Turns>::default());
        Self { location, prefix, bucket, warned: AtomicBool::new(false) }
    }

    /// How many deliveries of a message do not count.
    pub(super) async fn of(&self, record: &str) -> Result<u32> {
        // Not made for this.
        match self.location.stream.last(&format!("{}{record}", self.prefix)).await {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
            Err(error) => Err(error),
            Ok(stored) => {
                Ok(stored.and_then(|stored| std::str::from_utf8(&stored.data).ok()?.parse().ok()).unwrap_or(0))
            }
        }
    }

    /// Notes that one more does not. Where that fails, it counts, which the log says once.
    pub(super) async fn add(&self, record: &str) {
        if let Err(error) = self.bucket.increment(record, 1).await
            && !self.warned.swap(true, Ordering::Relaxed)
        {
            tracing::warn!("messages that were given back unhandled count as delivered: {error}");
        }
    }

    /// Forgets a message that is done. What cannot be removed goes with the time.
    pub(super) async fn forget(&self, record: &str) {
        let _ = self.location.stream.purge(&format!("{}{record}", self.prefix), None).await;
    }
}
