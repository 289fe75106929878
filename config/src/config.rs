use std::{collections::BTreeMap, fmt, net::SocketAddr, path::Path, time::Duration};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value as Json, json};
use slight_capabilities::{ProviderKind, Routes, settings_schema};

use crate::{
    Component, DeclaredGroup, Limits, Mistake, Mistakes, ProviderSection, Source, Subscription, check, component,
    document::{self, Node, Table},
    files,
    findings::Findings,
    format, limits,
    place::Place,
    providers::{self, MEMORY},
    route_checks,
    routes::{self, BlobRoute, KeyValueRoute, MessagingRoute},
    subscriptions,
};

/// A checked configuration, with every default filled in and every reference replaced.
#[derive(Clone)]
pub struct Config {
    /// How HTTP is served.
    pub http: Http,
    /// What guests may use.
    pub limits: Limits,
    /// What the guest is given besides its capabilities.
    pub component: Component,
    /// The providers by the name of their section. `memory` is always there when its kind is.
    pub providers: BTreeMap<String, ProviderSection>,
    /// Which section answers for which bucket.
    pub key_value: Routes<String>,
    /// Which section answers for which container.
    pub blob: Routes<String>,
    /// Which section answers for which messaging client.
    pub messaging: Routes<String>,
    /// The groups to make at start.
    pub groups: Vec<DeclaredGroup>,
    /// The topics to deliver to the guest.
    pub subscriptions: Vec<Subscription>,
    /// The file, with references as they stand there and secrets masked.
    as_written: Json,
}

/// How HTTP is served.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Http {
    /// The address and port to listen at. Port 0 takes a free one; `localhost` is 127.0.0.1.
    #[serde(with = "format::address")]
    #[schemars(schema_with = "format::address::schema")]
    pub listen: SocketAddr,
    /// Whether other processes of the same user may listen there too: copies of slight share the connections, and one can
    /// replace another that is told to end. All of them must say so. Otherwise a second copy on the port is refused.
    pub reuse_port: bool,
    /// How long a connection may be without a request before it is closed. Bytes that make no request do not count.
    #[serde(with = "format::duration")]
    #[schemars(schema_with = "format::duration::schema")]
    pub idle_timeout: Duration,
    /// How long connections are still accepted after SIGTERM or SIGHUP, while clients are told to leave: by then whoever
    /// sends requests must know of another copy. Ctrl-C does not wait for it.
    #[serde(with = "format::delay")]
    #[schemars(schema_with = "format::delay::schema")]
    pub shutdown_delay: Duration,
    /// Whether instances serve more than one request. By default every request gets a fresh one.
    pub reuse: Reuse,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 3000)),
            reuse_port: false,
            idle_timeout: Duration::from_secs(60),
            shutdown_delay: Duration::from_secs(2),
            reuse: Reuse::default(),
        }
    }
}

/// How long an instance serves requests. Reuse is faster, and lets one request see what another left in memory.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Reuse {
    /// How many requests one instance serves in all before it is thrown away.
    #[schemars(range(min = 1))]
    pub requests: u32,
    /// How many requests one instance serves at a time. More than 1 takes effect for components of wasi:http 0.3 alone;
    /// one of them that waits for key-value, blob storage or messaging holds up the others.
    #[schemars(range(min = 1))]
    pub at_a_time: u32,
}

impl Default for Reuse {
    fn default() -> Self {
        Self { requests: 1, at_a_time: 1 }
    }
}

/// The configuration of slight.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct File {
    /// How HTTP is served.
    http: Http,
    /// What one guest, one call and the whole process may use. Every limit is on, also when it is not given. A size is a
    /// string with a unit ("64KB" is 64,000 bytes, "64KiB" is 65,536) or a number of bytes; a duration is a string with a
    /// unit ("500ms", "30s", "2m"), at most a year.
    limits: Limits,
    /// What the guest is given besides its capabilities.
    component: Component,
    /// Connections to backends, by a name of your choice. "memory" needs no section.
    providers: BTreeMap<String, Json>,
    /// Which provider answers for which bucket: the name that the guest opens on the left, "*" for any other. A name
    /// without a route is denied.
    key_value: routes::Table<KeyValueRoute>,
    /// Which provider answers for which container: the name that the guest opens on the left, "*" for any other. A name
    /// without a route is denied.
    blob: routes::Table<BlobRoute>,
    /// Which provider answers for which messaging client ("default", unless the guest names another), and what is
    /// delivered to the guest.
    messaging: Messaging,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", default)]
struct Messaging {
    /// Topics that are delivered to the guest's incoming-handler.
    subscriptions: Vec<Subscription>,
    #[serde(flatten)]
    routes: routes::Table<MessagingRoute>,
}

/// The schema of a file, but for what the sections of the providers hold.
pub(crate) fn file_schema() -> Json {
    settings_schema::<File>().to_value()
}

impl Config {
    /// Reads a file. `kinds` are the providers that may be declared.
    ///
    /// # Errors
    /// All mistakes of the file, in its order; or that it cannot be read.
    pub fn load(path: &Path, kinds: &[ProviderKind]) -> Result<Self, Mistakes> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|error| Mistake::of_file(&name, format!("the file cannot be read: {error}")))?;
        let dir = path.parent().unwrap_or(Path::new(""));
        Self::parse(&Source { name: &name, text: &text, dir, env: &|name| std::env::var(name) }, kinds)
    }

    /// Reads a text.
    ///
    /// # Errors
    /// All mistakes, in the order of the text.
    pub fn parse(source: &Source<'_>, kinds: &[ProviderKind]) -> Result<Self, Mistakes> {
        let mut findings = Findings::default();
        let document = document::read(source, &mut findings);
        if let Some(document) = &document {
            check_all(document, source, kinds, &mut findings);
        }
        match document {
            Some(document) if findings.count() == 0 => Self::build(&document, source, kinds, &findings),
            _ => Err(Mistakes::new(findings.into_mistakes(source))),
        }
    }

    /// What holds without a file: every name leads to `memory`, and the limits are the defaults.
    pub fn without_file() -> Self {
        Self {
            http: Http::default(),
            limits: Limits::default(),
            component: Component::default(),
            providers: BTreeMap::from([(MEMORY.to_owned(), ProviderSection::memory())]),
            key_value: Routes::all_to(MEMORY.to_owned()),
            blob: Routes::all_to(MEMORY.to_owned()),
            messaging: Routes::all_to(MEMORY.to_owned()),
            groups: Vec::new(),
            subscriptions: Vec::new(),
            as_written: json!({}),
        }
    }

    fn build(
        document: &Node,
        source: &Source<'_>,
        kinds: &[ProviderKind],
        findings: &Findings,
    ) -> Result<Self, Mistakes> {
        // The schema is made from the same types, so a file that fits the one fits the other. serde's own sentence would
        // quote values, which may be secrets.
        let file: File = serde_json::from_value(document.to_settings(source.dir, findings)).map_err(|_| {
            Mistake::of_file(source.name, "the file cannot be read as a whole, which is a bug in slight")
        })?;
        Ok(Self {
            http: file.http,
            limits: file.limits,
            component: file.component,
            providers: sections(document.table(), source.dir, kinds, findings),
            key_value: routes::key_value(file.key_value),
            blob: routes::blob(file.blob),
            groups: routes::groups(&file.messaging.routes),
            messaging: routes::messaging(file.messaging.routes),
            subscriptions: file.messaging.subscriptions,
            as_written: document.to_redacted_json(findings),
        })
    }
}

fn check_all(document: &Node, source: &Source<'_>, kinds: &[ProviderKind], findings: &mut Findings) {
    let schema = file_schema();
    check::check(document, &schema, &schema, &Place::root(), findings);
    let Some(file) = document.table() else { return };
    let declared = providers::check_sections(file, kinds, findings);
    route_checks::check(file, &declared, kinds, findings);
    subscriptions::check(file, findings);
    if let Some(limits) = file.table("limits") {
        limits::check(limits, findings);
    }
    if let Some(component) = file.table("component") {
        component::check_env(component, findings);
        files::check(component, source.dir, findings);
    }
    if findings.has_paths() && source.dir.to_str().is_none() {
        findings.mistake(0..0, "paths cannot start at the directory of this file, since its name is not UTF-8");
    }
}

fn sections(
    file: Option<&Table>,
    dir: &Path,
    kinds: &[ProviderKind],
    findings: &Findings,
) -> BTreeMap<String, ProviderSection> {
    let memory = kinds.iter().any(|kind| kind.name == MEMORY).then(|| (MEMORY.to_owned(), ProviderSection::memory()));
    let declared = file.and_then(|file| file.table("providers")).into_iter().flat_map(|table| &table.entries);
    let declared = declared.map(|section| (section.key.clone(), providers::section(section, dir, findings)));
    memory.into_iter().chain(declared).collect()
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The fields hold what references inserted, so the file itself is shown.
        write!(f, "Config({})", self.as_written)
    }
}
