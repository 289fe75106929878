use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use slight_capabilities::{Error, Result};

/// Starts the names of the trees that sled keeps for itself.
const RESERVED: &str = "__sled__";

/// The section `[providers.X]` with `type = "sled"`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Settings {
    /// The directory of the database. One process, and in it one section, opens a database at a time. A relative path
    /// starts at the directory of the configuration file.
    #[schemars(extend("format" = "path"))]
    pub path: PathBuf,
    /// Where buckets are kept.
    #[serde(default)]
    pub key_value: KeyValueSettings,
}

/// The table `key-value` of the section.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct KeyValueSettings {
    /// The name that the tree of all buckets has in the database.
    pub location: String,
    /// Whether the tree, and the database with it, is made if it is missing. Otherwise the start fails.
    pub create: bool,
}

impl Default for KeyValueSettings {
    fn default() -> Self {
        Self { location: "slight-kv".into(), create: true }
    }
}

impl Settings {
    pub(crate) fn check(&self) -> Result<()> {
        match self.key_value.location.as_str() {
            "" => Err(Error::invalid("\"key-value.location\" is empty; it needs at least one character")),
            name if name.starts_with(RESERVED) => Err(Error::invalid(format!(
                "\"key-value.location\" must not begin with {RESERVED:?}: sled keeps such names for itself"
            ))),
            _ => Ok(()),
        }
    }
}
