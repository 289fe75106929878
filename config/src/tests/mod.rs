//! The rules of the file, one test each.

mod fuzz;
mod limits;
mod providers;
mod redaction;
mod references;
mod reports;
mod routes;
mod schema;
mod sections;
mod subscriptions;

use std::{env::VarError, path::Path};

use schemars::JsonSchema;
use serde::Deserialize;
use slight_capabilities::{Capability, Error, Provider, ProviderKind, Secret};

use crate::{Config, Source};

/// What the tests' environment variables hold: it must never be shown.
const INSERTED: &str = "hunter2";

/// How a fake backend is reached.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[expect(dead_code, reason = "only the schema is of interest")]
struct Settings {
    /// The URL, with | and credentials.
    url: Secret,
    /// The database.
    #[serde(default)]
    database: u8,
    /// How hard to try.
    #[serde(default)]
    mode: Mode,
    /// Lower-case letters.
    #[schemars(regex(pattern = "^[a-z]*$"))]
    region: Option<String>,
    /// How much of the traffic to take.
    #[schemars(range(min = 0.0, max = 1.0))]
    share: Option<f64>,
    /// A token of two letters.
    #[schemars(extend("writeOnly" = true, "anyOf" = [{ "type": "string", "pattern": "^..$" }]))]
    token: Option<String>,
    /// The servers.
    #[serde(default)]
    #[schemars(length(max = 2))]
    servers: Vec<String>,
    /// How long to wait.
    #[schemars(extend("format" = "duration"))]
    patience: Option<String>,
    /// How blobs are kept.
    blob: Option<BlobSettings>,
}

/// How blobs are kept.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[expect(dead_code, reason = "only the schema is of interest")]
struct BlobSettings {
    /// Where they are.
    #[serde(default = "location")]
    location: String,
    /// What they are encrypted with.
    key: Option<Secret>,
}

/// How hard to try.
#[derive(Default, Deserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Mode {
    /// Once.
    #[default]
    Once,
    /// Until it works.
    Stubborn,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Nothing {}

fn location() -> String {
    "slight-blob".to_owned()
}

fn kind<S>(name: &'static str, capabilities: &'static [Capability]) -> ProviderKind
where
    S: serde::de::DeserializeOwned + JsonSchema + Send + 'static,
{
    ProviderKind::new(name, "A fake.", capabilities, |_: S| async {
        Err::<std::sync::Arc<dyn Provider>, _>(Error::unavailable("it is a fake"))
    })
}

/// `memory` with all capabilities, `redis` without blob, `azure` with all, and `file` with blob alone.
fn kinds() -> Vec<ProviderKind> {
    vec![
        kind::<Nothing>("memory", &Capability::ALL),
        kind::<Settings>("redis", &[Capability::KeyValue, Capability::Messaging]),
        kind::<Settings>("azure", &Capability::ALL),
        kind::<Nothing>("file", &[Capability::Blob]),
    ]
}

fn env(name: &str) -> Result<String, VarError> {
    match name {
        "SECRET" => Ok(INSERTED.to_owned()),
        "KIND" => Ok("redis".to_owned()),
        "ADDRESS" => Ok("0.0.0.0:8080".to_owned()),
        _ => Err(VarError::NotPresent),
    }
}

fn parse_in(dir: &Path, text: &str) -> Result<Config, crate::Mistakes> {
    Config::parse(&Source { name: "slight.toml", text, dir, env: &env }, &kinds())
}

fn parse(text: &str) -> Result<Config, crate::Mistakes> {
    parse_in(Path::new("."), text)
}

#[track_caller]
fn good(text: &str) -> Config {
    parse(text).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

/// The mistakes of a text as `line:column: sentence`.
#[track_caller]
fn mistakes(text: &str) -> Vec<String> {
    let mistakes = parse(text).expect_err("the text has a mistake");
    let lines = mistakes.iter().map(|mistake| {
        let position = mistake.position.expect("a mistake in a text has a position");
        format!("{}:{}: {}", position.line, position.column, mistake.sentence)
    });
    lines.collect()
}

/// The one mistake of a text.
#[track_caller]
fn mistake(text: &str) -> String {
    let all = mistakes(text);
    match all.as_slice() {
        [only] => only.clone(),
        _ => panic!("expected one mistake, found {all:#?}"),
    }
}

/// The example of the documentation, all of it.
const EXAMPLE: &str = r#"
[http]
listen = "127.0.0.1:3000"

[limits]
memory = "256MiB"
timeout = "30s"
backend-timeout = "10s"
concurrency = 256

[component]
env = { GREETING = "hello" }
config = { region = "eu" }
http-outbound = ["https://api.example.com"]
files = [{ guest = "/data", host = ".", read-only = true }]

[providers.azure]
url = "${env:SECRET}"
[providers.azure.blob]
location = "shop-files"

[providers.cache]
type = "redis"
url = "${env:SECRET}"

[key-value]
default = "azure"
sessions = { provider = "cache", prefix = "shop" }
catalog = { provider = "azure", access = "read" }

[blob]
"*" = "azure"

[messaging]
default = "azure"

[[messaging.subscriptions]]
topics = ["orders"]
group = "billing"
max-deliveries = 5
dead-letter = "orders-dead"
"#;
