use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

/// The section `[providers.X]` with `type = "file"`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Settings {
    /// The directory that everything is in. A relative path starts at the directory of the configuration file. Several
    /// processes may use one directory at a time.
    #[schemars(extend("format" = "path"))]
    pub path: PathBuf,
    /// Where containers are kept.
    #[serde(default)]
    pub blob: BlobSettings,
}

/// The table `blob` of the section.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct BlobSettings {
    /// The directory of all containers, within `path`.
    pub location: String,
    /// Whether the directory is made if it is missing. Otherwise the start fails.
    pub create: bool,
}

impl Default for BlobSettings {
    fn default() -> Self {
        Self { location: "slight-blob".into(), create: true }
    }
}
