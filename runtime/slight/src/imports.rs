//! What a component imports, as people want to see it: what a file decides first, what the host serves in a row a package.

use std::collections::BTreeMap;

use slight_capabilities::{Capability, Routes};
use slight_config::Config;
use slight_runtime::{App, Import, Service, Trigger};

use crate::providers;

/// Import, route, provider.
pub type Row = [String; 3];

/// A row for every import that is not the host's own, and one for every package that is.
pub fn rows(app: &App, config: &Config) -> Vec<Row> {
    let mut imports: Vec<&Import> = app.imports().iter().collect();
    imports.sort_by_key(|import| rank(import.service));
    let (own, others): (Vec<&Import>, Vec<&Import>) =
        imports.into_iter().partition(|import| import.service == Some(Service::Host));
    let mut packages = BTreeMap::<&str, usize>::new();
    for import in own {
        *packages.entry(package(&import.name)).or_default() += 1;
    }
    let others = others.into_iter().map(|import| {
        let (route, provider) = served_by(import, config);
        [import.name.clone(), route, provider]
    });
    others.chain(packages.into_iter().map(|(package, interfaces)| host_row(package, interfaces))).collect()
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

/// What is wrong first, then what the configuration decides.
fn rank(service: Option<Service>) -> u8 {
    match service {
        None => 0,
        Some(Service::Provider(_)) => 1,
        Some(Service::Config) => 2,
        Some(Service::Logging) => 3,
        Some(Service::Http) => 4,
        Some(Service::Host) => 5,
    }
}

fn package(name: &str) -> &str {
    name.split_once('/').map_or(name, |(package, _)| package)
}

fn host_row(package: &str, interfaces: usize) -> Row {
    let plural = if interfaces == 1 { "" } else { "s" };
    let route = if package == "wasi:sockets" { "every address is denied" } else { "the host" };
    [format!("{package} ({interfaces} interface{plural})"), route.to_owned(), "slight".to_owned()]
}

fn served_by(import: &Import, config: &Config) -> (String, String) {
    let own = |what: &str| (what.to_owned(), "slight".to_owned());
    match import.service {
        Some(Service::Provider(capability)) => routed(capability, config),
        Some(Service::Config) => own("config of [component]"),
        Some(Service::Logging) => own("the log"),
        Some(Service::Http) if sends(&import.name) => own(&outbound(config)),
        Some(Service::Http) => own("http"),
        Some(Service::Host) => own("the host"),
        None => ("not served".to_owned(), "-".to_owned()),
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

fn routed(capability: Capability, config: &Config) -> (String, String) {
    let routes: &Routes<String> = providers::routes(config, capability);
    if routes.is_empty() {
        return (format!("none in [{capability}]: every name is denied"), "-".to_owned());
    }
    let names: Vec<&str> = routes.iter().map(|(name, _)| name).collect();
    let sections = providers::sections(config, capability);
    let sections: Vec<String> = sections.iter().map(|section| providers::describe(config, section)).collect();
    (format!("{capability}: {}", names.join(", ")), sections.join(", "))
}
