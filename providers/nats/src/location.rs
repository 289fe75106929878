use std::sync::atomic::{AtomicBool, Ordering};

use async_nats::jetstream::stream::Config;
use serde_json::Value;
use slight_capabilities::{Error, Readiness, Result};

use crate::{errors, link::Link, settings::Storage, stream::Stream};

/// What decides how a stream keeps its messages. Everything else, an operator may set as he likes.
const COMPARED: [&str; 16] = [
    "subjects",
    "retention",
    "discard",
    "storage",
    "num_replicas",
    "max_msgs",
    "max_msgs_per_subject",
    "max_bytes",
    "max_age",
    "max_msg_size",
    "allow_direct",
    "allow_rollup_hdrs",
    "deny_purge",
    "sealed",
    "mirror",
    "sources",
];

/// A stream that is made or checked before it is used.
pub(crate) struct Location {
    pub(crate) stream: Stream,
    /// The setting that names it, for messages.
    setting: &'static str,
    config: Config,
    create: bool,
    ready: AtomicBool,
}

impl Location {
    pub(crate) fn new(link: &Link, setting: &'static str, config: Config, create: bool) -> Self {
        let stream = Stream::new(link, config.name.clone());
        Self { stream, setting, config, create, ready: AtomicBool::new(false) }
    }

    /// Makes sure that the stream is there and is what the settings say, the first time.
    pub(crate) async fn ready(&self) -> Result<&Stream> {
        if !self.ready.load(Ordering::Acquire) {
            self.prepare().await?;
            self.ready.store(true, Ordering::Release);
        }
        Ok(&self.stream)
    }

    /// Has the stream looked after again where a call has found that it is gone: a server that keeps it in memory has
    /// started again.
    pub(crate) fn note<T>(&self, result: Result<T>) -> Result<T> {
        if let Err(error) = &result
            && error.kind() == slight_capabilities::ErrorKind::NotFound
        {
            self.ready.store(false, Ordering::Release);
        }
        result
    }

    /// Says whether the stream is there, or would be made.
    pub(crate) async fn inspect(&self) -> Result<Readiness> {
        let name = &self.stream.name;
        match self.stream.info().await? {
            Some(info) => self.compare(&info.config).map(|()| Readiness::Ready),
            None if self.create => Ok(Readiness::ToBeCreated(format!("the stream {name}"))),
            None => Err(Error::not_found(format!(
                "there is no stream {name:?} in NATS, and {}.create is false",
                self.setting
            ))),
        }
    }

    async fn prepare(&self) -> Result<()> {
        if self.inspect().await? == Readiness::Ready || self.stream.create(&self.config).await?.is_some() {
            return Ok(());
        }
        // Somebody else was faster.
        match self.stream.info().await? {
            Some(info) => self.compare(&info.config),
            None => Err(errors::no_stream(&self.stream.name)),
        }
    }

    fn compare(&self, found: &Config) -> Result<()> {
        let differences = differences(found, &self.config).map_err(errors::odd)?;
        if differences.is_empty() {
            return Ok(());
        }
        Err(Error::invalid(format!(
            "the stream {:?} in NATS is not what [{}] of the settings asks for: {}; change the one or the other",
            self.stream.name,
            self.setting,
            differences.join(", ")
        )))
    }
}

fn differences(found: &Config, wanted: &Config) -> serde_json::Result<Vec<String>> {
    let (found, wanted) = (serde_json::to_value(found)?, serde_json::to_value(wanted)?);
    let shown = |value: &Value| if value.is_null() { "unset".to_owned() } else { value.to_string() };
    let of = |value: &Value, name: &str| value.get(name).filter(|value| !is_unset(value)).cloned().unwrap_or_default();
    let differing = COMPARED.iter().map(|name| (name, of(&found, name), of(&wanted, name)));
    Ok(differing
        .filter(|(_, found, wanted)| found != wanted)
        .map(|(name, found, wanted)| format!("{name} is {} instead of {}", shown(&found), shown(&wanted)))
        .collect())
}

/// What the server leaves out, or writes as one of these.
fn is_unset(value: &Value) -> bool {
    matches!(value, Value::Bool(false)) || value.as_i64() == Some(-1) || value.as_array().is_some_and(Vec::is_empty)
}

/// A stream without limits of its own.
pub(crate) fn config(
    name: String,
    subjects: Vec<String>,
    storage: Storage,
    replicas: usize,
    max_bytes: Option<i64>,
) -> Config {
    Config {
        name,
        subjects,
        storage: storage.into(),
        num_replicas: replicas,
        max_bytes: max_bytes.unwrap_or(-1),
        max_messages: -1,
        max_messages_per_subject: -1,
        max_message_size: -1,
        max_consumers: -1,
        discard: async_nats::jetstream::stream::DiscardPolicy::New,
        // Served by any replica, which may be behind: not what was written last.
        allow_direct: false,
        ..Config::default()
    }
}

impl From<Storage> for async_nats::jetstream::stream::StorageType {
    fn from(storage: Storage) -> Self {
        match storage {
            Storage::File => Self::File,
            Storage::Memory => Self::Memory,
        }
    }
}
