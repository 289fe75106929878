use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use slight_capabilities::{Error, Result};

/// The section `[providers.X]` with `type = "redb"`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Settings {
    /// The database file. One process, and in it one section, opens a file at a time. A relative path starts at the
    /// directory of the configuration file.
    #[schemars(extend("format" = "path"))]
    pub path: PathBuf,
    /// Where buckets are kept.
    #[serde(default)]
    pub key_value: KeyValueSettings,
    /// Where topics and groups are kept.
    #[serde(default)]
    pub messaging: MessagingSettings,
}

/// The table `key-value` of the section.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct KeyValueSettings {
    /// The name that the table of all buckets has in the file.
    pub location: String,
    /// Whether the table, and the file with it, is made if it is missing. Otherwise the start fails.
    pub create: bool,
}

/// The table `messaging` of the section.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct MessagingSettings {
    /// The name that the tables of all topics have in the file.
    pub location: String,
    /// Whether the tables, and the file with them, are made if they are missing. Otherwise the start fails.
    pub create: bool,
}

impl Default for KeyValueSettings {
    fn default() -> Self {
        Self { location: "slight-kv".into(), create: true }
    }
}

impl Default for MessagingSettings {
    fn default() -> Self {
        Self { location: "slight-msg".into(), create: true }
    }
}

impl Settings {
    pub(crate) fn check(&self) -> Result<()> {
        for (what, location) in
            [("key-value.location", &self.key_value.location), ("messaging.location", &self.messaging.location)]
        {
            if location.is_empty() {
                return Err(Error::invalid(format!("{what:?} is empty; it needs at least one character")));
            }
        }
        Ok(())
    }
}
