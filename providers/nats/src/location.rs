use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use async_nats::jetstream::stream::{Config, Info, RetentionPolicy};
use parking_lot::Mutex;
use serde_json::Value;
use slight_capabilities::{Error, ErrorKind, Readiness, Result};

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

/// What a stream in use cannot do without, beside its subjects. Where something else is changed meanwhile, it goes on, and the log says it: an
/// operator changes first the stream, and then the settings.
const NEEDED: [&str; 4] = ["deny_purge", "sealed", "mirror", "sources"];

/// How often a stream in use is looked at, while it is used.
pub(crate) const LOOK: Duration = Duration::from_secs(10);

/// A stream that is made or checked before it is used, and again where something has happened to it.
pub(crate) struct Location {
    pub(crate) stream: Stream,
    /// The setting that names it, for messages.
    setting: &'static str,
    config: Config,
    create: bool,
    seen: Mutex<Seen>,
    /// Of those who look.
    turn: tokio::sync::Mutex<()>,
}

/// What the last look has shown.
#[derive(Default)]
struct Seen {
    /// When that was; `None` where a call has failed since then in a way that asks for another look.
    at: Option<Instant>,
    found: Option<Found>,
    /// What was said last of its differences.
    said: String,
    /// How often it was made anew, by whomever.
    renewals: u64,
}

#[derive(Clone, Copy)]
struct Found {
    /// Tells one stream of a name from the next.
    created: SystemTime,
    messages: u64,
    last: u64,
}

impl Location {
    pub(crate) fn new(link: &Link, setting: &'static str, config: Config, create: bool) -> Self {
        let stream = Stream::new(link, config.name.clone());
        Self { stream, setting, config, create, seen: Mutex::default(), turn: tokio::sync::Mutex::default() }
    }

    /// Makes sure that the stream is there and is what the settings say, the first time and after failures. From time to
    /// time it has another look, for which nobody waits.
    pub(crate) async fn ready(self: &Arc<Self>) -> Result<&Stream> {
        match self.age() {
            Some(age) if age < LOOK => {}
            Some(_) => {
                let location = self.clone();
                tokio::spawn(async move {
                    let Ok(_turn) = location.turn.try_lock() else { return };
                    if location.age().is_none_or(|age| age >= LOOK) {
                        // A call that needs what is missing says so.
                        let _ = location.note(location.look().await);
                    }
                });
            }
            None => {
                let _turn = self.turn.lock().await;
                if self.age().is_none() {
                    self.look().await?;
                }
            }
        }
        Ok(&self.stream)
    }

    fn age(&self) -> Option<Duration> {
        self.seen.lock().at.map(|at| at.elapsed())
    }

    /// Has the stream looked at before it is used again.
    pub(crate) fn doubt(&self) {
        self.seen.lock().at = None;
    }

    /// How often the stream was made anew, as far as it was seen.
    pub(crate) fn renewals(&self) -> u64 {
        self.seen.lock().renewals
    }

    /// Has the stream looked at again where a call has failed as it does on one that is gone, or is another one.
    pub(crate) fn note<T>(&self, result: Result<T>) -> Result<T> {
        if let Err(error) = &result
            && matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Unavailable | ErrorKind::Invalid)
        {
            self.doubt();
        }
        result
    }

    /// Asks something of the stream, and once more where it was gone and has been made anew.
    ///
    /// Nothing was done the first time then, so that also what must not be done twice may be asked again.
    pub(crate) async fn ask<T, F>(self: &Arc<Self>, call: impl Fn() -> F + Send) -> Result<T>
    where
        F: Future<Output = Result<T>> + Send,
    {
        self.ready().await?;
        match self.note(call().await) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.ready().await?;
                self.note(call().await)
            }
            other => other,
        }
    }

    /// Says whether the stream is there, or would be made.
    pub(crate) async fn inspect(&self) -> Result<Readiness> {
        match self.stream.info().await? {
            Some(info) => self.compare(&info.config).map(|()| Readiness::Ready),
            None if self.create => Ok(Readiness::ToBeCreated(format!("the stream {}", self.stream.name))),
            None => Err(self.missing()),
        }
    }

    fn missing(&self) -> Error {
        Error::not_found(format!(
            "there is no stream {:?} in NATS, and {}.create is false",
            self.stream.name, self.setting
        ))
    }

    async fn look(&self) -> Result<()> {
        let info = match self.stream.info().await? {
            Some(info) => info,
            None if self.create => self.make().await?,
            None => return Err(self.missing()),
        };
        let differences = differences(&info.config, &self.config).map_err(errors::odd)?;
        let in_use = self.seen.lock().found.is_some();
        let takes_ours = self.config.subjects.iter().all(|subject| info.config.subjects.contains(subject));
        let fatal = |(name, _): &(&str, String)| match *name {
            "subjects" => !in_use || !takes_ours,
            // The first group that has acknowledged a message takes it from all others.
            "retention" => !in_use || info.config.retention == RetentionPolicy::WorkQueue,
            name => !in_use || NEEDED.contains(&name),
        };
        if differences.iter().any(fatal) {
            return Err(self.differs(&differences));
        }
        self.saw(&info, &shown(&differences));
        Ok(())
    }

    async fn make(&self) -> Result<Info> {
        if let Some(made) = self.stream.create(&self.config).await? {
            return Ok(made);
        }
        // Somebody else was faster.
        self.stream.info().await?.ok_or_else(|| errors::no_stream(&self.stream.name))
    }

    /// Says once what has become of the stream.
    fn saw(&self, info: &Info, differences: &str) {
        let name = &self.stream.name;
        let (created, state) = (info.created.into(), &info.state);
        let found = Found { created, messages: state.messages, last: state.last_sequence };
        let mut seen = self.seen.lock();
        if let Some(before) = seen.found.filter(|before| before.created != found.created || before.last > found.last) {
            seen.renewals += 1;
            tracing::warn!(
                "the stream {name:?} in NATS was removed or restored while it was in use, and is another one now: it held \
                 {} messages when it was last looked at, and holds {}",
                before.messages,
                found.messages
            );
        }
        if !differences.is_empty() && seen.said != differences {
            tracing::warn!(
                "the stream {name:?} in NATS was changed while it was in use: {differences}; before the next start, change \
                 [{}] of the settings or the stream",
                self.setting
            );
        }
        differences.clone_into(&mut seen.said);
        (seen.found, seen.at) = (Some(found), Some(Instant::now()));
    }

    fn compare(&self, found: &Config) -> Result<()> {
        let differences = differences(found, &self.config).map_err(errors::odd)?;
        if differences.is_empty() { Ok(()) } else { Err(self.differs(&differences)) }
    }

    fn differs(&self, differences: &[(&str, String)]) -> Error {
        Error::invalid(format!(
            "the stream {:?} in NATS is not what [{}] of the settings asks for: {}; change the one or the other",
            self.stream.name,
            self.setting,
            shown(differences)
        ))
    }
}

fn shown(differences: &[(&str, String)]) -> String {
    differences.iter().map(|(_, said)| said.as_str()).collect::<Vec<_>>().join(", ")
}

/// What differs, by the name of the field.
fn differences(found: &Config, wanted: &Config) -> serde_json::Result<Vec<(&'static str, String)>> {
    let (found, wanted) = (serde_json::to_value(found)?, serde_json::to_value(wanted)?);
    let shown = |value: &Value| if value.is_null() { "unset".to_owned() } else { value.to_string() };
    let of = |value: &Value, name: &str| value.get(name).filter(|value| !is_unset(value)).cloned().unwrap_or_default();
    let differing = COMPARED.iter().map(|name| (*name, of(&found, name), of(&wanted, name)));
    Ok(differing
        .filter(|(_, found, wanted)| found != wanted)
        .map(|(name, found, wanted)| (name, format!("{name} is {} instead of {}", shown(&found), shown(&wanted))))
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
