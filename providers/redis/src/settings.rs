use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use slight_capabilities::{Connect, Error, Result, Secret};

/// The section `[providers.X]` with `type = "redis"`.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Settings {
    /// The server, as `redis://host:6379/0`, `rediss://…` for TLS, or `unix:///path`. Of a cluster: any of its nodes.
    pub(crate) url: Secret,
    /// The user to log in as, instead of one in the URL.
    pub(crate) username: Option<String>,
    /// The password to log in with, instead of one in the URL.
    pub(crate) password: Option<Secret>,
    /// Whether the server is a node of a Redis Cluster.
    #[serde(default)]
    pub(crate) cluster: bool,
    /// When to connect first: `eager` at the start, which fails if that does, or `lazy` with the first use.
    #[serde(default)]
    pub(crate) connect: Connect,
    /// A PEM file with the certificates to trust, instead of those of the system. For `rediss://` alone. A relative path
    /// starts at the directory of the configuration file.
    #[schemars(extend("format" = "path"))]
    pub(crate) ca_file: Option<PathBuf>,
    /// How key-value is kept.
    #[serde(default)]
    pub(crate) key_value: KeyValueSettings,
    /// How messages are kept.
    #[serde(default)]
    pub(crate) messaging: MessagingSettings,
}

#[derive(Clone, Deserialize, JsonSchema)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct KeyValueSettings {
    /// What the keys in Redis begin with: characters of `A-Z a-z 0-9 . _ / -`.
    #[schemars(regex(pattern = r"^[A-Za-z0-9._/-]+$"))]
    pub(crate) location: String,
}

impl Default for KeyValueSettings {
    fn default() -> Self {
        Self { location: "slight-kv".to_owned() }
    }
}

#[derive(Clone, Deserialize, JsonSchema)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct MessagingSettings {
    /// What the keys in Redis begin with: characters of `A-Z a-z 0-9 . _ / -`.
    #[schemars(regex(pattern = r"^[A-Za-z0-9._/-]+$"))]
    pub(crate) location: String,
    /// About how many messages a topic keeps at most. The oldest beyond are lost, whoever still waits for them; without
    /// it a topic keeps a message until every group has it.
    #[schemars(range(min = 1))]
    pub(crate) max_length: Option<u64>,
}

impl Default for MessagingSettings {
    fn default() -> Self {
        Self { location: "slight-msg".to_owned(), max_length: None }
    }
}

impl Settings {
    /// Checks what the schema says of single values, for callers that have no schema.
    pub(crate) fn check(&self) -> Result<()> {
        for (capability, location) in [("key-value", &self.key_value.location), ("messaging", &self.messaging.location)]
        {
            // None of these characters means anything to Redis, in a key, a pattern or a hash tag; and without a colon,
            // no location is the start of another's keys.
            let known = |byte: u8| byte.is_ascii_alphanumeric() || b"._/-".contains(&byte);
            if location.is_empty() || !location.bytes().all(known) {
                return Err(Error::invalid(format!(
                    "{capability}.location is {location:?}; it must be of the characters A-Z a-z 0-9 . _ / -"
                )));
            }
        }
        if self.messaging.max_length == Some(0) {
            return Err(Error::invalid("messaging.max-length is 0; leave it out to keep all messages"));
        }
        Ok(())
    }
}
