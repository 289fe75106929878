//! What is served: every interface that a component may import, by version.

use slight_capabilities::Capability;

/// Who answers for an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// A provider, by the routes of this capability.
    Provider(Capability),
    /// The `config` table of `[component]`.
    Config,
    /// The log of the host.
    Logging,
    /// The HTTP server and client of the host.
    Http,
    /// The host itself: clocks, files, environment, randomness and so on.
    Host,
    /// Nobody has to: the import names types and holds no function.
    Types,
}

/// An interface package in one version, and the interfaces of it that are served.
#[derive(Debug)]
pub struct ServedPackage {
    /// For example `wasi:keyvalue`.
    pub name: &'static str,
    /// For example `0.2.0-draft2`; drafts match to the letter. A released version such as `0.2` stands for every patch
    /// of it.
    pub version: &'static str,
    /// Its interfaces.
    pub interfaces: &'static [&'static str],
    /// Who answers.
    pub service: Service,
}

const KEY_VALUE: &[&str] = &["store", "atomics", "batch"];
const BLOBSTORE: &[&str] = &["types", "container", "blobstore"];
const MESSAGING: &[&str] = &["types", "producer", "request-reply"];

/// All that is served.
pub const SERVED: &[ServedPackage] = &[
    served("wasi:keyvalue", "0.2.0-draft2", KEY_VALUE, Service::Provider(Capability::KeyValue)),
    served("wasi:keyvalue", "0.2.0-draft", KEY_VALUE, Service::Provider(Capability::KeyValue)),
    served("wasi:blobstore", "0.2.0-draft", BLOBSTORE, Service::Provider(Capability::Blob)),
    served("wasi:messaging", "0.2.0-draft", MESSAGING, Service::Provider(Capability::Messaging)),
    served("wasi:config", "0.2.0-rc.1", &["store"], Service::Config),
    served("wasi:config", "0.2.0-draft", &["store"], Service::Config),
    served("wasi:config", "0.2.0-draft-2024-09-27", &["store"], Service::Config),
    served("wasi:logging", "0.1.0-draft", &["logging"], Service::Logging),
    served("wasi:http", "0.2", &["types", "outgoing-handler"], Service::Http),
    served("wasi:http", "0.3", &["types", "client"], Service::Http),
    served("wasi:io", "0.2", &["error", "poll", "streams"], Service::Host),
    served("wasi:cli", "0.2", CLI, Service::Host),
    served("wasi:cli", "0.3", CLI_3, Service::Host),
    served("wasi:clocks", "0.2", &["wall-clock", "monotonic-clock"], Service::Host),
    served("wasi:clocks", "0.3", &["types", "system-clock", "monotonic-clock"], Service::Host),
    served("wasi:filesystem", "0.2", &["types", "preopens"], Service::Host),
    served("wasi:filesystem", "0.3", &["types", "preopens"], Service::Host),
    served("wasi:random", "0.2", &["random", "insecure", "insecure-seed"], Service::Host),
    served("wasi:random", "0.3", &["random", "insecure", "insecure-seed"], Service::Host),
    served("wasi:sockets", "0.2", SOCKETS, Service::Host),
    served("wasi:sockets", "0.3", &["types", "ip-name-lookup"], Service::Host),
];

const CLI: &[&str] = &[
    "environment",
    "exit",
    "stdin",
    "stdout",
    "stderr",
    "terminal-input",
    "terminal-output",
    "terminal-stdin",
    "terminal-stdout",
    "terminal-stderr",
];

const CLI_3: &[&str] = &[
    "types",
    "environment",
    "exit",
    "stdin",
    "stdout",
    "stderr",
    "terminal-input",
    "terminal-output",
    "terminal-stdin",
    "terminal-stdout",
    "terminal-stderr",
];

const SOCKETS: &[&str] =
    &["network", "instance-network", "ip-name-lookup", "tcp", "tcp-create-socket", "udp", "udp-create-socket"];

/// The newest patches whose functions are all here: those of the WIT files of wasmtime-wasi.
const NEWEST_0_2: &str = "0.2.12";
const NEWEST_0_3: &str = "0.3.0";

const fn served(
    name: &'static str,
    version: &'static str,
    interfaces: &'static [&'static str],
    service: Service,
) -> ServedPackage {
    ServedPackage { name, version, interfaces, service }
}

/// Who answers for an import such as `wasi:keyvalue/store@0.2.0-draft2`; `None` when nobody does.
pub fn service_for(import: &str) -> Option<Service> {
    let (interface, version) = import.split_once('@')?;
    let (package, name) = interface.split_once('/')?;
    let served = SERVED.iter().find(|served| {
        served.name == package && version_matches(served.version, version) && served.interfaces.contains(&name)
    })?;
    Some(served.service)
}

/// The versions in which an interface such as `wasi:keyvalue/store` is served, as a message lists them.
pub(crate) fn versions_of(interface: &str) -> Option<String> {
    let (package, name) = interface.split_once('/')?;
    let served = SERVED.iter().filter(|served| served.name == package && served.interfaces.contains(&name));
    let versions: Vec<String> = served.map(ServedPackage::versions).collect();
    (!versions.is_empty()).then(|| versions.join(", "))
}

/// The served interface whose name is most like that of an import: what its author may have meant.
pub fn nearest(import: &str) -> Option<String> {
    let names = SERVED.iter().flat_map(|served| {
        served.interfaces.iter().map(|name| format!("{}/{name}@{}", served.name, served.full_version()))
    });
    nearest_of(import, names)
}

/// Among equals the first holds: the tables begin with what new guests should use.
pub(crate) fn nearest_of(wanted: &str, names: impl DoubleEndedIterator<Item = String>) -> Option<String> {
    /// Below this likeness, from 0 to 1, a name is no help but a riddle.
    const ALIKE: f64 = 0.7;
    let likeness = |name: &String| strsim::normalized_levenshtein(wanted, name);
    let nearest = names.rev().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    (likeness(&nearest) >= ALIKE).then_some(nearest)
}

impl ServedPackage {
    /// The version as an import would write it.
    fn full_version(&self) -> String {
        if self.is_released() { format!("{}.0", self.version) } else { self.version.to_owned() }
    }

    /// The versions as a message says them: which functions a release has depends on its patch.
    fn versions(&self) -> String {
        match self.version {
            "0.2" => format!("0.2.0 to {NEWEST_0_2}"),
            "0.3" => NEWEST_0_3.to_owned(),
            draft => draft.to_owned(),
        }
    }

    fn is_released(&self) -> bool {
        !self.version.contains('-')
    }
}

/// Whether a version is one that `served` stands for: a draft to the letter, a release such as `0.3` for every patch of it,
/// also for those that are newer than what is known here.
pub(crate) fn version_matches(served: &str, version: &str) -> bool {
    if served.contains('-') {
        return version == served;
    }
    let patch = version.strip_prefix(served).and_then(|rest| rest.strip_prefix('.'));
    // What follows a `+` names a build, and is no part of the version.
    let digits = patch.map(|patch| patch.split_once('+').map_or(patch, |(patch, _)| patch));
    digits.is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drafts_match_to_the_letter_and_releases_by_patch() {
        let key_value = Some(Service::Provider(Capability::KeyValue));
        assert_eq!(service_for("wasi:keyvalue/store@0.2.0-draft2"), key_value);
        assert_eq!(service_for("wasi:keyvalue/store@0.2.0-draft3"), None);
        assert_eq!(service_for("wasi:http/types@0.2.9"), Some(Service::Http));
        assert_eq!(service_for("wasi:http/types@0.2.0-rc-2023-11-10"), None);
        assert_eq!(service_for("wasi:http/types@0.30.0"), None);
        assert_eq!(service_for("wasi:http/client@0.2.0"), None);
        assert_eq!(service_for("nonsense"), None);
        assert_eq!(service_for("wasi:http/client@0.3.99"), Some(Service::Http));
        assert_eq!(service_for("wasi:http/client@0.3.x"), None);
        assert_eq!(service_for("wasi:http/client@0.3."), None);
    }

    #[test]
    fn the_versions_of_an_interface_are_told() {
        assert_eq!(versions_of("wasi:keyvalue/store").as_deref(), Some("0.2.0-draft2, 0.2.0-draft"));
        assert_eq!(versions_of("wasi:http/types").as_deref(), Some("0.2.0 to 0.2.12, 0.3.0"));
        assert_eq!(versions_of("wasi:http/nothing"), None);
    }

    #[test]
    fn a_mistyped_import_has_a_nearest_one() {
        let meant = Some("wasi:keyvalue/store@0.2.0-draft2".to_owned());
        assert_eq!(nearest("wasi:keyvalue/store@0.2.0-draft3"), meant);
        assert_eq!(nearest("wasi:key-value/store@0.2.0-draft2"), meant);
        assert_eq!(nearest("example:nothing/thing"), None);
    }
}
