use std::collections::BTreeSet;

use slight_capabilities::{Capability, MAX_NAME_BYTES, ProviderKind, canonical, check_name, check_prefix};

use crate::{
    document::{Entry, Node, Table, Value},
    findings::Findings,
    nearest,
    providers::{Declared, MEMORY},
    routes::{ANY, DEFAULT},
};

/// The key of `[messaging]` that is no client.
pub(crate) const SUBSCRIPTIONS: &str = "subscriptions";

/// What the schema cannot say of the routes: each leads to a declared section that offers the capability, and its names
/// and prefix are legal.
pub(crate) fn check(file: &Table, declared: &Declared<'_>, kinds: &[ProviderKind], findings: &mut Findings) {
    for capability in Capability::ALL {
        let routes: Vec<&Entry> = routes(file, capability).collect();
        check_default(&routes, findings);
        for route in routes {
            check_route_name(route, capability, findings);
            check_target(route, capability, declared, kinds, findings);
            let Some(table) = route.node.table() else {
                continue;
            };
            check_route_prefix(table, findings);
            check_backend_name(route, table, capability, findings);
            match capability {
                Capability::KeyValue => {}
                Capability::Blob => check_existing(route, table, findings),
                Capability::Messaging => check_groups(table, findings),
            }
        }
    }
}

/// The routes of a capability.
pub(crate) fn routes(file: &Table, capability: Capability) -> impl Iterator<Item = &Entry> {
    let entries = file.table(capability.name()).into_iter().flat_map(|table| &table.entries);
    entries.filter(move |entry| capability != Capability::Messaging || entry.key != SUBSCRIPTIONS)
}

/// Checks a name in a value, which messages show as the file writes it.
pub(crate) fn check_name_in(node: &Node, what: &str, findings: &mut Findings) {
    if let Some(Err(error)) = node.text().map(|name| check_name(what, name)) {
        findings.mistake(node.span.clone(), error.to_string());
    }
}

fn check_default(routes: &[&Entry], findings: &mut Findings) {
    let mut defaults = routes.iter().filter(|route| canonical(&route.key) == DEFAULT);
    if let (Some(_), Some(second)) = (defaults.next(), defaults.next()) {
        let sentence = r#""" and "default" are the same name, and both are here; keep one"#;
        findings.mistake(second.key_span.clone(), sentence);
    }
}

fn kind_of_name(capability: Capability) -> &'static str {
    match capability {
        Capability::KeyValue => "bucket name",
        Capability::Blob => "container name",
        Capability::Messaging => "client name",
    }
}

fn check_route_name(route: &Entry, capability: Capability, findings: &mut Findings) {
    if let Err(error) = check_name(kind_of_name(capability), canonical(&route.key)) {
        findings.mistake(route.key_span.clone(), error.to_string());
    }
}

/// The node that names the provider, and the name.
fn target(route: &Entry) -> Option<(&Node, &str)> {
    let node = match &route.node.value {
        Value::Table(table) => table.get("provider")?,
        _ => &route.node,
    };
    node.text().map(|name| (node, name))
}

fn check_target(
    route: &Entry,
    capability: Capability,
    declared: &Declared<'_>,
    kinds: &[ProviderKind],
    findings: &mut Findings,
) {
    let Some((node, name)) = target(route) else {
        return;
    };
    match declared.get(name) {
        None => findings.mistake(node.span.clone(), undeclared(node, name, declared, kinds)),
        Some(Some(kind)) if !kind.offers(capability) => {
            findings.mistake(node.span.clone(), not_offered(node, kind, capability, kinds));
        }
        Some(_) => {}
    }
}

fn undeclared(node: &Node, name: &str, declared: &Declared<'_>, kinds: &[ProviderKind]) -> String {
    let shown = node.shown();
    if kinds.iter().any(|kind| kind.name == name) {
        return format!("there is no section [providers.{name}]; add one with the settings of {name}");
    }
    let known: Vec<&str> = declared.keys().map(String::as_str).collect();
    let written = match &node.value {
        Value::Text(text) => &text.source,
        _ => name,
    };
    let undeclared = kinds.iter().map(|kind| kind.name).filter(|name| !known.contains(name));
    let all: Vec<&str> = known.iter().copied().chain(undeclared).collect();
    let hint = match nearest::nearest(written, &all) {
        Some(near) if known.contains(&near) => format!("; did you mean {near:?}?"),
        Some(near) => format!("; did you mean {near:?}? It needs a section [providers.{near}]"),
        None if known.iter().all(|name| *name == MEMORY) => "; declare it as [providers.X]".to_owned(),
        None => format!("; the providers are {}", nearest::quoted(&known, "and")),
    };
    format!("no provider is called {shown}{hint}")
}

fn not_offered(node: &Node, kind: &ProviderKind, capability: Capability, kinds: &[ProviderKind]) -> String {
    let offered: Vec<String> = kind.capabilities.iter().map(ToString::to_string).collect();
    let offered = if offered.is_empty() { "nothing".to_owned() } else { nearest::joined(&offered, "and") };
    let fitting: Vec<&str> = kinds.iter().filter(|kind| kind.offers(capability)).map(|kind| kind.name).collect();
    let fitting = if fitting.is_empty() { "none".to_owned() } else { nearest::quoted(&fitting, "and") };
    let (shown, kind) = (node.shown(), kind.name);
    format!(
        "{shown} is of the type {kind:?}, which offers {offered} and not {capability}; the types that do: {fitting}"
    )
}

fn check_route_prefix(table: &Table, findings: &mut Findings) {
    let Some(node) = table.get("prefix") else {
        return;
    };
    if node.text().is_some_and(|prefix| check_prefix(prefix).is_err()) {
        let shown = node.shown();
        let sentence = format!(
            "the prefix {shown} must be at most {MAX_NAME_BYTES} characters of A-Z a-z 0-9 _ - with single dots and slashes \
             between them (a slash may end it)"
        );
        findings.mistake(node.span.clone(), sentence);
    }
}

/// Routes of messaging have no such key, which the schema says.
fn check_backend_name(route: &Entry, table: &Table, capability: Capability, findings: &mut Findings) {
    let Some(name) = table.entry("name").filter(|_| capability != Capability::Messaging) else { return };
    check_name_in(&name.node, kind_of_name(capability), findings);
    if route.key == ANY {
        let sentence = "\"name\" is what the backend calls one name, so the route must name it and not be \"*\"";
        findings.mistake(name.key_span.clone(), sentence);
    }
}

fn check_existing(route: &Entry, table: &Table, findings: &mut Findings) {
    let existing = matches!(table.get("existing").map(|node| &node.value), Some(Value::Boolean(true)));
    if !existing {
        if let Some(location) = table.entry("location") {
            let sentence = "\"location\" needs existing = true; otherwise the location is a setting of the provider";
            findings.mistake(location.key_span.clone(), sentence);
        }
        return;
    }
    if route.key == ANY {
        let sentence = "\"existing\" maps one container to one location, so the route must name it and not be \"*\"";
        findings.mistake(route.key_span.clone(), sentence);
    }
    if let Some(prefix) = table.entry("prefix") {
        let sentence = "\"prefix\" does not go with existing = true: the names there are taken as they are";
        findings.mistake(prefix.key_span.clone(), sentence);
    }
    if let Some(name) = table.entry("name") {
        let sentence = "\"name\" does not go with existing = true; \"location\" says what the backend calls it";
        findings.mistake(name.key_span.clone(), sentence);
    }
    if let Some(location) = table.get("location").filter(|location| location.text() == Some("")) {
        findings.mistake(location.span.clone(), "\"location\" must not be empty");
    }
}

fn check_groups(route: &Table, findings: &mut Findings) {
    let mut seen = BTreeSet::new();
    for item in route.list("groups") {
        let Some(table) = item.table() else { continue };
        let [topic, group] = ["topic", "group"].map(|key| table.get(key));
        topic.into_iter().for_each(|node| check_name_in(node, "topic name", findings));
        group.into_iter().for_each(|node| check_name_in(node, "group name", findings));
        if let (Some(topic), Some(group)) = (topic, group)
            && let (Some(topic_name), Some(group_name)) = (topic.text(), group.text())
            && !seen.insert((topic_name, group_name))
        {
            let sentence = format!("the group {} of the topic {} is declared twice", group.shown(), topic.shown());
            findings.mistake(item.span.clone(), sentence);
        }
    }
}
