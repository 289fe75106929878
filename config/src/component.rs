use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use slight_capabilities::Secret;

use crate::{document::Table, files::Directory, findings::Findings, outbound::Outbound};

/// What the guest is given besides its capabilities.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Component {
    /// The guest's environment variables (wasi:cli/environment). Nothing of the host's own environment is passed on.
    pub env: BTreeMap<String, Secret>,
    /// The guest's configuration (wasi:config/store).
    pub config: BTreeMap<String, Secret>,
    /// The origins that the guest may send HTTP requests to: `https://api.example.com`, with a port where it is not
    /// the scheme's own. `http://*.internal` allows any one first label, and `*` every origin.
    #[schemars(schema_with = "outbound_schema")]
    pub http_outbound: Outbound,
    /// Directories of the host that the guest may open (wasi:filesystem).
    pub files: Vec<Directory>,
}

fn outbound_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "items": { "type": "string", "format": "origin" }, "default": [] })
}

/// What the schema cannot say of `component.env`.
pub(crate) fn check_env(component: &Table, findings: &mut Findings) {
    for entry in component.table("env").into_iter().flat_map(|env| &env.entries) {
        if entry.key.is_empty() || entry.key.contains(['=', '\0']) {
            let sentence = format!("the variable name {:?} must not be empty and must hold no = and no NUL", entry.key);
            findings.mistake(entry.key_span.clone(), sentence);
        }
    }
}
