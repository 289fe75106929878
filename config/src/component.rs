use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use slight_capabilities::Secret;

use crate::{document::Table, files::Directory, findings::Findings, outbound::Outbound};

/// What makes a component run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Trigger {
    /// Its command (wasi:cli/run), once.
    Command,
    /// HTTP requests, for its handler (wasi:http/incoming-handler or wasi:http/handler).
    Http,
    /// Messages of the subscriptions, for its handler (wasi:messaging/incoming-handler).
    Messaging,
}

/// What the guest is given besides its capabilities.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Component {
    /// What of the component's exports runs. The default is its handlers for HTTP and messages, or its command if it has
    /// no handler.
    pub triggers: Vec<Trigger>,
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

/// What the schema cannot say of `component.env`: a guest's C library keeps each variable as `NAME=VALUE` up to a NUL.
pub(crate) fn check_env(component: &Table, findings: &mut Findings) {
    for entry in component.table("env").into_iter().flat_map(|env| &env.entries) {
        if entry.key.is_empty() || entry.key.contains(['=', '\0']) {
            let sentence = format!("the variable name {:?} must not be empty and must hold no = and no NUL", entry.key);
            findings.mistake(entry.key_span.clone(), sentence);
        }
        if entry.node.text().is_some_and(|value| value.contains('\0')) {
            let sentence =
                format!("the value of the variable {:?} must hold no NUL: a program reads it up to there", entry.key);
            findings.mistake(entry.node.span.clone(), sentence);
        }
    }
}
