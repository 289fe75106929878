use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use slight_capabilities::{
    Bucket, Capability, Connect, Error, KeyValue, Messaging, Provider, ProviderKind, QualifiedName, Readiness, Result,
    Secret,
};
use slight_conformance::{Connection, Harness, SECRET, Section, Target, provider::CASES};
use slight_provider_memory::Memory;

use crate::{Broken, every_fault_is_found};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    GivesMore,
    SaysReady,
    MakesOnInspect,
    MakesOnConnect,
    EmptiesOnPrepare,
    MakesUnasked,
    NamesNothing,
    MakesOnPing,
    AsksWhenLazy,
    MakesNothingWhenLazy,
    SaysOther,
    ShowsThePassword,
    QuotesTheSettings,
}

use Fault::*;

const FAULTS: &[(Fault, &[&str])] = &[
    (GivesMore, &["it_gives_what_its_kind_lists"]),
    (SaysReady, &["inspect_says_what_prepare_does"]),
    (MakesOnInspect, &["inspect_makes_nothing"]),
    (MakesOnConnect, &["inspect_makes_nothing"]),
    (EmptiesOnPrepare, &["a_second_prepare_changes_nothing"]),
    (MakesUnasked, &["a_missing_location_is_not_found"]),
    (NamesNothing, &["a_missing_location_is_not_found"]),
    (MakesOnPing, &["ping_changes_nothing"]),
    (AsksWhenLazy, &["lazy_begins_without_the_server"]),
    (MakesNothingWhenLazy, &["lazy_begins_without_the_server"]),
    (SaysOther, &["a_server_that_is_away_is_said_so_soon"]),
    (ShowsThePassword, &["no_error_shows_a_secret"]),
    (QuotesTheSettings, &["no_error_shows_a_secret"]),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_provider_fault_is_found() {
    every_fault_is_found(CASES, FAULTS, 16, |fault| {
        let harness = Arc::new(Backends { fault, backend: Arc::default() });
        Target { provider: Arc::new(Broken::default()), harness }
    })
    .await;
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
struct Settings {
    url: Secret,
    #[serde(default)]
    connect: Connect,
    key_value: KeyValueSettings,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
struct KeyValueSettings {
    location: String,
    create: bool,
}

/// A server, whose locations are those that were made.
#[derive(Default)]
struct Backend {
    memory: Mutex<Memory>,
    locations: Mutex<BTreeSet<String>>,
}

struct Backends {
    fault: Option<Fault>,
    backend: Arc<Backend>,
}

#[async_trait]
impl Harness for Backends {
    async fn connect(&self) -> Result<Connection> {
        Ok(Connection::Ready(Arc::new(Broken::default())))
    }

    fn section(&self) -> Option<Section> {
        let (fault, backend) = (self.fault, self.backend.clone());
        let connect = move |settings: Settings| {
            let section = Connected { fault, settings, backend: backend.clone() };
            async move { section.begin() }
        };
        let kind = ProviderKind::new("faulty", "A server with a fault.", &[Capability::KeyValue], connect);
        let kind = if fault == Some(QuotesTheSettings) { quoting(kind) } else { kind };
        let settings = json!({ "url": "faulty://here", "key-value": {} });
        let nobody = json!({ "url": format!("faulty://user:{SECRET}@nowhere"), "key-value": {} });
        Some(Section::new(kind, settings).with_nobody(nobody))
    }
}

/// A kind that tells what it could not read.
fn quoting(kind: ProviderKind) -> ProviderKind {
    #[derive(Deserialize, JsonSchema)]
    #[serde(transparent)]
    struct Anything(serde_json::Value);
    let schema = kind.schema.clone();
    let connect = move |Anything(settings): Anything| {
        let kind = kind.clone();
        async move {
            let quoted = settings.to_string();
            kind.connect(settings).await.map_err(|error| Error::new(error.kind(), format!("{error}: {quoted}")))
        }
    };
    let mut quoting = ProviderKind::new("faulty", "Quotes.", &[Capability::KeyValue], connect);
    quoting.schema = schema;
    quoting
}

struct Connected {
    fault: Option<Fault>,
    settings: Settings,
    backend: Arc<Backend>,
}

impl Connected {
    fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    fn begin(self) -> Result<Arc<dyn Provider>> {
        if self.has(MakesOnConnect) {
            self.make();
        }
        if self.settings.connect == Connect::Eager || self.has(AsksWhenLazy) {
            self.ask()?;
        }
        if self.settings.connect == Connect::Lazy && !self.has(MakesNothingWhenLazy) && self.settings.key_value.create {
            self.make();
        }
        Ok(Arc::new(self))
    }

    fn ask(&self) -> Result<()> {
        let url = self.settings.url.expose();
        match url {
            "faulty://here" => Ok(()),
            _ if self.has(SaysOther) => Err(Error::other("it does not work")),
            _ if self.has(ShowsThePassword) => Err(Error::unavailable("nobody is there").with_source(url)),
            _ => Err(Error::unavailable("nobody is there")),
        }
    }

    fn make(&self) {
        self.backend.locations.lock().unwrap().insert(self.settings.key_value.location.clone());
    }

    fn is_there(&self) -> bool {
        self.backend.locations.lock().unwrap().contains(&self.settings.key_value.location)
    }

    fn missing(&self) -> Error {
        let location = &self.settings.key_value.location;
        if self.has(NamesNothing) { Error::not_found("it") } else { Error::not_found(format!("no {location}")) }
    }
}

#[async_trait]
impl Provider for Connected {
    fn key_value(&self) -> Option<Arc<dyn KeyValue>> {
        // Of a location that is not there, nothing is found again.
        if self.is_there() { self.backend.memory.lock().unwrap().key_value() } else { Some(Arc::new(Nowhere)) }
    }

    fn messaging(&self) -> Option<Arc<dyn Messaging>> {
        if self.has(GivesMore) { Memory::new().messaging() } else { None }
    }

    fn connects(&self) -> Connect {
        self.settings.connect
    }

    async fn prepare(&self, _: Capability) -> Result<()> {
        if self.settings.connect == Connect::Lazy {
            return Ok(());
        }
        self.ask()?;
        if self.has(EmptiesOnPrepare) {
            *self.backend.memory.lock().unwrap() = Memory::new();
        }
        if !self.is_there() && !self.settings.key_value.create && !self.has(MakesUnasked) {
            return Err(self.missing());
        }
        self.make();
        Ok(())
    }

    async fn inspect(&self, _: Capability) -> Result<Readiness> {
        self.ask()?;
        if self.has(MakesOnInspect) && self.settings.key_value.create {
            self.make();
            return Ok(Readiness::ToBeCreated("the location".into()));
        }
        match (self.is_there() || self.has(SaysReady), self.settings.key_value.create) {
            (true, _) => Ok(Readiness::Ready),
            (false, true) => Ok(Readiness::ToBeCreated("the location".into())),
            (false, false) => Err(self.missing()),
        }
    }

    async fn ping(&self) -> Result<()> {
        if self.has(MakesOnPing) {
            self.make();
        }
        self.ask()
    }
}

struct Nowhere;

#[async_trait]
impl KeyValue for Nowhere {
    async fn open(&self, _: &QualifiedName) -> Result<Arc<dyn Bucket>> {
        Err(Error::not_found("there is no location"))
    }
}
