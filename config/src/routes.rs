use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use slight_capabilities::{Access, Route, Routes, canonical};

/// The name that the empty name stands for.
pub(crate) const DEFAULT: &str = "default";

/// The name that stands for every other.
pub(crate) const ANY: &str = "*";

/// A group that a messaging route declares: it is made at start, so that it collects messages before anyone subscribes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DeclaredGroup {
    /// The client whose route declares it; `*` for the route of any other client.
    pub client: String,
    /// The topic, as a guest names it.
    pub topic: String,
    /// The group.
    pub group: String,
}

/// A provider section's name, or a table with more.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Written<T> {
    /// The provider: a section `[providers.X]`, or "memory".
    Provider(String),
    /// The provider, and how to use it.
    Table(T),
}

/// Where a bucket leads.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct KeyValueRoute {
    /// The provider: a section `[providers.X]`, or "memory".
    provider: String,
    /// Put before the bucket's name in the backend.
    #[serde(default)]
    prefix: String,
    /// What the bucket is called in the backend. The default is the name of the route.
    name: Option<String>,
    /// What the guest may do.
    #[serde(default)]
    #[schemars(extend("default" = "read-write"))]
    access: Access,
}

/// Where a container leads.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct BlobRoute {
    /// The provider: a section `[providers.X]`, or "memory".
    provider: String,
    /// Put before the container's name in the backend.
    #[serde(default)]
    prefix: String,
    /// What the container is called in the backend. The default is the name of the route.
    name: Option<String>,
    /// What the guest may do.
    #[serde(default)]
    #[schemars(extend("default" = "read-write"))]
    access: Access,
    /// Use a location of the backend (an S3 bucket, an Azure container, …) as it is, with literal object names: how
    /// data of other programs is reached.
    #[serde(default)]
    existing: bool,
    /// With `existing`: what the backend calls the location. The default is the name of the route.
    location: Option<String>,
}

/// Where a messaging client leads.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct MessagingRoute {
    /// The provider: a section `[providers.X]`, or "memory".
    provider: String,
    /// Put before the names of the topics in the backend.
    #[serde(default)]
    prefix: String,
    /// Groups that are made at start, so that they collect messages before anyone subscribes.
    #[serde(default)]
    groups: Vec<Group>,
}

/// A group of a topic.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Group {
    /// The topic.
    topic: String,
    /// The group.
    group: String,
}

/// A table of routes as the file has them, by the guest's name.
pub(crate) type Table<T> = BTreeMap<String, Written<T>>;

pub(crate) fn key_value(table: Table<KeyValueRoute>) -> Routes<String> {
    routes(table, |_, route| Route {
        prefix: route.prefix,
        name: route.name,
        access: route.access,
        ..Route::to(route.provider)
    })
}

pub(crate) fn blob(table: Table<BlobRoute>) -> Routes<String> {
    routes(table, |name, route| Route {
        prefix: route.prefix,
        name: route.name,
        access: route.access,
        existing: route.existing.then(|| route.location.unwrap_or_else(|| canonical(name).to_owned())),
        ..Route::to(route.provider)
    })
}

pub(crate) fn messaging(table: Table<MessagingRoute>) -> Routes<String> {
    routes(table, |_, route| Route { prefix: route.prefix, ..Route::to(route.provider) })
}

pub(crate) fn groups(table: &Table<MessagingRoute>) -> Vec<DeclaredGroup> {
    let declared = table.iter().flat_map(|(client, route)| {
        let groups = match route {
            Written::Provider(_) => &[][..],
            Written::Table(route) => &route.groups,
        };
        groups.iter().map(|group| DeclaredGroup {
            client: canonical(client).to_owned(),
            topic: group.topic.clone(),
            group: group.group.clone(),
        })
    });
    declared.collect()
}

fn routes<T>(table: Table<T>, detailed: impl Fn(&str, T) -> Route<String>) -> Routes<String> {
    let mut routes = Routes::none();
    for (name, written) in table {
        let route = match written {
            Written::Provider(provider) => Route::to(provider),
            Written::Table(route) => detailed(&name, route),
        };
        routes.insert(&name, route);
    }
    routes
}
