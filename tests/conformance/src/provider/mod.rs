//! The cases of [`Provider`] and [`ProviderKind`].

mod locations;
mod secrets;
mod server;

use std::sync::Arc;

use serde_json::Value;
use slight_capabilities::{Capability, Provider, ProviderKind};

use crate::{
    case::{self, Patience},
    check::{Failure, Outcome},
    harness::{Harness, Target},
    names,
};

crate::__provider_cases! { crate::table { Scope } }

/// The list of the cases, by the module that holds them, with the cases that those rest on; hands it on to another macro.
#[doc(hidden)]
#[macro_export]
macro_rules! __provider_cases {
    ($with:path { $($args:tt)* }) => { $with! { $($args)*;
        locations (it_gives_what_its_kind_lists inspect_says_what_prepare_does) {
            it_gives_what_its_kind_lists
            inspect_says_what_prepare_does
            inspect_makes_nothing
            a_second_prepare_changes_nothing
            a_missing_location_is_not_found
            ping_changes_nothing
        }
        server (it_gives_what_its_kind_lists) {
            lazy_begins_without_the_server
            a_server_that_is_away_is_said_so_soon
        }
        secrets (it_gives_what_its_kind_lists) {
            no_error_shows_a_secret
        }
    } };
}

/// A secret for the settings that lead to nobody: whoever shows it is found. It is valid as a password and as a key in
/// Base64.
pub const SECRET: &str = "SecretOfTheSuite00112233";

/// A section `[providers.X]` to connect with, as the author of a provider gives it.
///
/// The suite sets `location` and `create` of a capability in it, each where the schema of the kind has it.
#[derive(Debug, Clone)]
pub struct Section {
    kind: ProviderKind,
    settings: Value,
    nobody: Option<Value>,
}

impl Section {
    /// The kind, and settings that connect to a backend. Files are made at a place of this section's own.
    pub fn new(kind: ProviderKind, settings: Value) -> Self {
        Self { kind, settings, nobody: None }
    }

    /// Settings that lead to nobody, `127.0.0.1:1` for example, with [`SECRET`] wherever a secret may be. Kinds with a
    /// setting `connect` need them.
    #[must_use]
    pub fn with_nobody(mut self, settings: Value) -> Self {
        self.nobody = Some(settings);
        self
    }

    /// What the schema says of a setting.
    fn setting(&self, path: &[&str]) -> Option<&Value> {
        path.iter().try_fold(self.kind.schema.as_value(), |schema, key| schema.get("properties")?.get(key))
    }

    /// The capabilities whose location is made with `create = true`, and has to be there otherwise.
    fn made(&self) -> Vec<Capability> {
        let made = |capability: &Capability| self.setting(&[capability.name(), "create"]).is_some();
        self.kind.capabilities.iter().copied().filter(made).collect()
    }

    /// The same, in locations that are not there.
    fn elsewhere(&self) -> Self {
        let mut section = self.clone();
        for capability in self.kind.capabilities {
            if self.setting(&[capability.name(), "location"]).is_some() {
                section.set(*capability, "location", names::short().into());
            }
        }
        section.creating(true)
    }

    fn creating(&self, create: bool) -> Self {
        let mut section = self.clone();
        for capability in self.made() {
            section.set(capability, "create", create.into());
        }
        section
    }

    fn set(&mut self, capability: Capability, setting: &str, value: Value) {
        if let Some(settings) = self.settings.as_object_mut() {
            let of = settings.entry(capability.name()).or_insert_with(|| Value::Object(serde_json::Map::new()));
            if let Some(of) = of.as_object_mut() {
                of.insert(setting.to_owned(), value);
            }
        }
    }

    async fn connect(&self) -> Outcome<Arc<dyn Provider>> {
        let connected = self.kind.connect(self.settings.clone()).await;
        connected.map_err(|error| Failure::from(error).within("connecting"))
    }
}

/// The harness, which gives sections.
pub struct Scope {
    harness: Arc<dyn Harness>,
}

impl Scope {
    fn section(&self) -> Outcome<Section> {
        let section = self.harness.section();
        section.ok_or_else(|| Failure::new("expected a section to connect with; implement `Harness::section`"))
    }
}

impl case::Scope for Scope {
    const CAPABILITY: Option<Capability> = None;

    fn new(target: &Target, _: Patience) -> Option<Self> {
        Some(Self { harness: target.harness.clone() })
    }

    async fn clean_up(&self) -> Outcome {
        Ok(())
    }
}
