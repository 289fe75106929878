//! What a component imports, as people want to see it: what a file decides first, what the host serves in a row a package.

use std::collections::BTreeMap;

use slight_capabilities::{Access, Capability, Route};
use slight_config::Config;
use slight_runtime::{App, Import, Service, Trigger};

use crate::providers;

/// Import, route, provider, and what else the route says, as it stands in the TOML.
pub type Row = [String; 4];

/// Stands where there is no provider.
const NONE: &str = "-";

/// A row for every route with the imports that it serves, for every other import that is not the host's own, and for
/// every package that is. Imports that lead to the same routes are one cell, which is not repeated.
///
/// The routes of `capabilities` are there even if the component imports nothing that leads to them.
pub fn rows(app: &App, config: &Config, capabilities: &[Capability]) -> Vec<Row> {
    let mut imports: Vec<&Import> = app.imports().iter().collect();
    imports.sort_by_key(|import| rank(import.service));
    let served = |wanted: fn(Option<Service>) -> bool| imports.iter().copied().filter(move |one| wanted(one.service));
    let unserved = served(|service| service.is_none()).map(|import| row(&import.name, "not served", NONE));
    let routed = Capability::ALL.into_iter().flat_map(|capability| {
        grouped(app, capability).into_iter().flat_map(move |names| route_rows(&names, capability, config))
    });
    let spare = capabilities.iter().copied().filter(|capability| {
        grouped(app, *capability).is_empty() && !providers::routes(config, *capability).is_empty()
    });
    let spare = spare.flat_map(|capability| route_rows("(not imported)", capability, config));
    let own = served(|service| matches!(service, Some(Service::Config | Service::Logging | Service::Http)));
    let own = own.map(|import| row(&import.name, &own_route(import, config), OWN));
    let packages = |wanted: fn(Option<Service>) -> bool| {
        let mut packages = BTreeMap::<&str, usize>::new();
        for import in served(wanted) {
            *packages.entry(package(&import.name)).or_default() += 1;
        }
        packages
    };
    let hosts = packages(|service| service == Some(Service::Host));
    let hosts = hosts.into_iter().map(|(package, interfaces)| host_row(package, interfaces));
    let types = packages(|service| service == Some(Service::Types));
    let types = types.into_iter().map(|(package, count)| row(&counted(package, count), "types alone", NONE));
    unserved.chain(routed).chain(spare).chain(own).chain(hosts).chain(types).collect()
}

/// The tables without a route that the component would need, with what to do.
pub fn denials(app: &App, config: &Config) -> Vec<String> {
    let denied = Capability::ALL
        .into_iter()
        .filter(|capability| calls(app, *capability) && providers::routes(config, *capability).is_empty());
    denied
        .map(|capability| {
            format!(
                "{} imports {capability}, but [{capability}] has no route, so every name is denied; add one, such as \
                 \"*\" = \"memory\"",
                app.path()
            )
        })
        .collect()
}

/// Whether a component makes use of a capability: calls it, or has messages delivered.
pub fn uses(app: &App, capability: Capability) -> bool {
    calls(app, capability) || (capability == Capability::Messaging && app.has(Trigger::Messages))
}

/// Types are imported for the sake of other interfaces, and name nothing.
fn calls(app: &App, capability: Capability) -> bool {
    let mut imports = app.imports().iter().filter(|import| import.service == Some(Service::Provider(capability)));
    imports.any(|import| !import.name.contains("/types@"))
}

/// What the host serves by itself.
const OWN: &str = "slight";

/// In the order of what they depend on: the configuration first.
fn rank(service: Option<Service>) -> u8 {
    match service {
        None | Some(Service::Provider(_)) => 0,
        Some(Service::Config) => 1,
        Some(Service::Logging) => 2,
        Some(Service::Http) => 3,
        Some(Service::Host) => 4,
        Some(Service::Types) => 5,
    }
}

fn row(import: &str, route: &str, provider: &str) -> Row {
    [import.to_owned(), route.to_owned(), provider.to_owned(), String::new()]
}

fn package(name: &str) -> &str {
    name.split_once('/').map_or(name, |(package, _)| package)
}

fn host_row(package: &str, interfaces: usize) -> Row {
    let route = if package == "wasi:sockets" { "every address is denied" } else { "the host" };
    row(&counted(package, interfaces), route, OWN)
}

fn counted(package: &str, interfaces: usize) -> String {
    let plural = if interfaces == 1 { "" } else { "s" };
    format!("{package} ({interfaces} interface{plural})")
}

/// The imports of a capability, those of one package and version together: `wasi:keyvalue/{store,batch}@0.2.0-draft2`.
fn grouped(app: &App, capability: Capability) -> Vec<String> {
    let mut packages: Vec<(&str, &str, Vec<&str>)> = Vec::new();
    for import in app.imports().iter().filter(|import| import.service == Some(Service::Provider(capability))) {
        let (path, version) = import.name.split_once('@').unwrap_or((&import.name, ""));
        let (package, interface) = path.split_once('/').unwrap_or((path, ""));
        match packages.iter_mut().find(|(known, of, _)| (*known, *of) == (package, version)) {
            Some((.., interfaces)) => interfaces.push(interface),
            None => packages.push((package, version, vec![interface])),
        }
    }
    let shown = packages.into_iter().map(|(package, version, interfaces)| match interfaces.as_slice() {
        [interface] => format!("{package}/{interface}@{version}"),
        many => format!("{package}/{{{}}}@{version}", many.join(",")),
    });
    shown.collect()
}

/// The routes of a capability, the first with the imports that lead to it.
fn route_rows(imports: &str, capability: Capability, config: &Config) -> Vec<Row> {
    let routes = providers::routes(config, capability);
    if routes.is_empty() {
        return vec![row(imports, &format!("none in [{capability}]: every name is denied"), NONE)];
    }
    let imports = std::iter::once(imports).chain(std::iter::repeat(""));
    let rows = imports.zip(routes.iter()).map(|(import, (name, route))| {
        let provider = providers::describe(config, &route.provider);
        [import.to_owned(), format!("{capability}: {}", readable(name)), provider, settings(route)]
    });
    rows.collect()
}

/// A name as the TOML has it: bare, unless it would not be told from what is around it.
fn readable(name: &str) -> String {
    if name.contains(char::is_whitespace) { format!("{name:?}") } else { name.to_owned() }
}

/// What a route says besides its provider.
fn settings<P>(route: &Route<P>) -> String {
    let prefix = (!route.prefix.is_empty()).then(|| format!("prefix = {:?}", route.prefix));
    let name = route.name.as_ref().map(|name| format!("name = {name:?}"));
    let access = (route.access == Access::Read).then(|| "access = \"read\"".to_owned());
    let existing = route.existing.as_ref().map(|location| format!("existing = true, location = {location:?}"));
    let told: Vec<String> = [prefix, name, access, existing].into_iter().flatten().collect();
    told.join(", ")
}

/// Where an import leads that no provider answers.
fn own_route(import: &Import, config: &Config) -> String {
    match import.service {
        Some(Service::Config) => "config of [component]".to_owned(),
        Some(Service::Logging) => "the log".to_owned(),
        _ if sends(&import.name) => outbound(config),
        _ => "http".to_owned(),
    }
}

/// Whether an interface of wasi:http sends requests.
fn sends(name: &str) -> bool {
    name.starts_with("wasi:http/outgoing-handler@") || name.starts_with("wasi:http/client@")
}

fn outbound(config: &Config) -> String {
    let origins: Vec<String> = config.component.http_outbound.origins.iter().map(ToString::to_string).collect();
    match origins.is_empty() {
        true => "none in http-outbound: every origin is denied".to_owned(),
        false => format!("http-outbound: {}", origins.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_told_as_the_file_says_it() {
        assert_eq!(settings(&Route::to(())), "");
        let route = Route { prefix: "shop-".to_owned(), access: Access::Read, ..Route::to(()) };
        assert_eq!(settings(&route), "prefix = \"shop-\", access = \"read\"");
        let route = Route { prefix: "eu".to_owned(), name: Some("shop-sessions".to_owned()), ..Route::to(()) };
        assert_eq!(settings(&route), "prefix = \"eu\", name = \"shop-sessions\"");
        let route = Route { existing: Some("eu".to_owned()), ..Route::to(()) };
        assert_eq!(settings(&route), "existing = true, location = \"eu\"");
    }

    #[test]
    fn every_route_has_a_row_and_the_imports_are_said_once() {
        let mut config = Config::without_file();
        config.key_value.insert("a b", Route { prefix: "p".to_owned(), ..Route::to("memory".to_owned()) });
        assert_eq!(
            route_rows("wasi:keyvalue/store@1", Capability::KeyValue, &config),
            [
                ["wasi:keyvalue/store@1", "key-value: \"a b\"", "memory", "prefix = \"p\""],
                ["", "key-value: *", "memory", ""]
            ]
        );
    }
}
