use std::{fmt, future::Future, pin::Pin, sync::Arc};

use async_trait::async_trait;
use schemars::{JsonSchema, Schema, generate::SchemaSettings};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{BlobStore, Connect, Error, Guarantees, KeyValue, Messaging, Result};

/// What a provider can be chosen for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Capability {
    /// [`KeyValue`]
    KeyValue,
    /// [`BlobStore`]
    Blob,
    /// [`Messaging`]
    Messaging,
}

impl Capability {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 3] = [Self::KeyValue, Self::Blob, Self::Messaging];

    /// The name used in the TOML and in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::KeyValue => "key-value",
            Self::Blob => "blob",
            Self::Messaging => "messaging",
        }
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What [`Provider::prepare`] would do for a capability.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// Nothing is missing.
    Ready,
    /// It would make what is missing: `the database file data/slight.redb`.
    ToBeCreated(String),
}

/// One configured section `[providers.X]`, connected.
///
/// The accessors share one connection and do no I/O. Before [`Provider::prepare`] nothing is made in the backend.
///
/// The runtime is tokio's: a provider may spawn tasks and use tokio's timers and I/O. It blocks no thread of it for longer
/// than a look-up takes (`spawn_blocking` is for what does), ends its tasks with the last handle that it gave out, and logs
/// with `tracing` what nobody is told otherwise, without secrets and without values of guests.
///
/// A provider with a server bounds the time of its own calls, by less than the runtime does (`limits.backend-timeout`, 10
/// seconds unless it is set): a server that takes a call and is silent is `Timeout`, or `Unavailable` where the call
/// certainly has done nothing. The runtime drops what takes longer nevertheless; what a dropped call leaves is said with
/// each capability.
///
/// # Behavior
/// - **it gives what its kind lists**: an accessor is `Some` for each of [`ProviderKind::capabilities`], and `None` else.
/// - **inspect says what prepare does**: what it finds ready `prepare` finds ready, what is to be created `prepare` creates,
///   and after `prepare` it is ready.
/// - **inspect makes nothing**: neither does connecting, however often.
/// - **a second prepare changes nothing**: what is in the location stays.
/// - **a missing location is not found**: with `create = false`, by `prepare` and by `inspect`, and the message names it.
/// - **ping changes nothing**: also before `prepare`; it answers, or is given up, within seconds.
/// - **lazy begins without the server**: connecting and `prepare` succeed and ask nobody; the first use makes what is missing.
/// - **a server that is away is said so soon**: connecting or `prepare` is `Unavailable` or `Timeout` within seconds.
/// - **no error shows a secret**: no password, key or URL with credentials is in a message, a cause, or a `Debug` form.
#[async_trait]
pub trait Provider: Send + Sync + 'static {
    /// Key-value buckets.
    fn key_value(&self) -> Option<Arc<dyn KeyValue>> {
        None
    }

    /// Blob containers.
    fn blob(&self) -> Option<Arc<dyn BlobStore>> {
        None
    }

    /// Topics and groups.
    fn messaging(&self) -> Option<Arc<dyn Messaging>> {
        None
    }

    /// When it asks its backend for something first: `lazy` has a start succeed while the backend is down.
    fn connects(&self) -> Connect {
        Connect::Eager
    }

    /// Makes the location of a routed capability ready: checks that it is there, and makes it when the settings say
    /// `create = true`. Called once at start, before any guest runs. A [lazy](Connect::Lazy) provider does nothing yet: its
    /// first use does all this.
    ///
    /// # Errors
    /// `NotFound` naming the missing location, `Denied`, `Unavailable`, `Timeout`.
    async fn prepare(&self, capability: Capability) -> Result<()>;

    /// Says what [`Provider::prepare`] would do, and makes nothing, as long as nobody changes the backend in between. What is
    /// to be created, the backend may yet refuse to create. It asks the backend, also where the provider is lazy.
    ///
    /// # Errors
    /// Those of `prepare`.
    async fn inspect(&self, capability: Capability) -> Result<Readiness> {
        let _ = capability;
        self.ping().await.map(|()| Readiness::Ready)
    }

    /// Asks the backend for a sign of life and changes nothing.
    ///
    /// # Errors
    /// `Denied` for wrong credentials, `Unavailable`, `Timeout`.
    async fn ping(&self) -> Result<()>;

    /// Ends what it has begun by itself, and waits for that: what it has leased and nobody took is given back. Called once,
    /// after all streams were dropped and all calls have ended; the caller bounds its time. By default there is nothing to
    /// end.
    async fn close(&self) {}
}

/// A connected provider, or why there is none.
pub type Connected = Pin<Box<dyn Future<Output = Result<Arc<dyn Provider>>> + Send>>;

/// A technology that can be named in a `[providers.X]` section: what `slight` knows of it before it connects.
#[derive(Clone)]
pub struct ProviderKind {
    /// The value of `type` in the TOML.
    pub name: &'static str,
    /// One line for people.
    pub description: &'static str,
    /// What it can be routed to.
    pub capabilities: &'static [Capability],
    /// The JSON schema of the section: keys, types, defaults and their documentation. Keys, documentation tables and
    /// editors' completions all come from here.
    pub schema: Schema,
    /// What it promises where the contracts leave a choice, if it says.
    pub guarantees: Option<Guarantees>,
    /// The setting that names a file or directory which one section of one process at a time can have open.
    pub exclusive: Option<&'static str>,
    /// What it keeps is gone with the process.
    pub forgets: bool,
    connect: Arc<dyn Fn(Value) -> Connected + Send + Sync>,
}

impl ProviderKind {
    /// A kind whose section is a `Settings` and which `connect` connects.
    ///
    /// `Settings` derives `Deserialize` and `JsonSchema`, with `deny_unknown_fields`, kebab-case names and a doc comment
    /// on every field; passwords and the like are of type [`Secret`](crate::Secret). A `PathBuf` with
    /// `#[schemars(extend("format" = "path"))]` comes with relative paths starting at the configuration file's directory.
    pub fn new<Settings, Connecting>(
        name: &'static str,
        description: &'static str,
        capabilities: &'static [Capability],
        connect: impl Fn(Settings) -> Connecting + Send + Sync + 'static,
    ) -> Self
    where
        Settings: DeserializeOwned + JsonSchema + Send + 'static,
        Connecting: Future<Output = Result<Arc<dyn Provider>>> + Send + 'static,
    {
        let connect = move |settings: Value| -> Connected {
            match serde_json::from_value::<Settings>(settings) {
                Ok(settings) => Box::pin(connect(settings)),
                // The settings may hold secrets, and serde quotes what it could not read: say which kind, not why.
                Err(_) => Box::pin(std::future::ready(Err(Error::invalid(format!(
                    "the settings do not fit a provider of type {name:?}"
                ))))),
            }
        };
        let schema = settings_schema::<Settings>();
        Self {
            name,
            description,
            capabilities,
            schema,
            guarantees: None,
            exclusive: None,
            forgets: false,
            connect: Arc::new(connect),
        }
    }

    /// The same, with what it promises where the contracts leave a choice.
    #[must_use]
    pub fn with_guarantees(mut self, guarantees: Guarantees) -> Self {
        self.guarantees = Some(guarantees);
        self
    }

    /// The same, where `setting` names a file or directory that one section of one process at a time can have open. Two
    /// sections that name the same one are refused before anything is connected.
    #[must_use]
    pub fn exclusive(mut self, setting: &'static str) -> Self {
        self.exclusive = Some(setting);
        self
    }

    /// The same, where all that it keeps is gone with the process, which is said at the start.
    #[must_use]
    pub fn forgets(mut self) -> Self {
        self.forgets = true;
        self
    }

    /// Connects with checked settings.
    ///
    /// # Errors
    /// What the provider says: `Denied`, `Unavailable`, `Timeout`, `Invalid` for settings that contradict each other.
    pub fn connect(&self, settings: Value) -> Connected {
        (self.connect)(settings)
    }

    /// True when the kind can be routed to for `capability`.
    pub fn offers(&self, capability: Capability) -> bool {
        self.capabilities.contains(&capability)
    }
}

impl fmt::Debug for ProviderKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderKind").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The JSON schema of a settings type, with everything that it refers to written in place.
pub fn settings_schema<Settings: JsonSchema>() -> Schema {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    settings.into_generator().into_root_schema_for::<Settings>()
}
