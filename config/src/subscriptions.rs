use std::{collections::BTreeSet, ops::Range, time::Duration};

use schemars::JsonSchema;
use serde::Deserialize;
use slight_capabilities::{Capability, MAX_NAME_BYTES, canonical, check_name};

use crate::{
    document::{Node, Table},
    findings::Findings,
    format::duration,
    nearest,
    route_checks::{SUBSCRIPTIONS, check_name_in, routes},
    routes::{ANY, DEFAULT},
};

/// Topics whose messages go to the guest's incoming-handler.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Subscription {
    /// The messaging client whose route leads to the topics.
    #[serde(default = "default_client")]
    pub client: String,
    /// The topics, literally: there are no wildcards.
    #[schemars(length(min = 1))]
    pub topics: Vec<String>,
    /// The group. Copies of slight in one group share the messages; each group gets all of them.
    pub group: String,
    /// How many messages may be with this process at a time; no more than its share of `limits.concurrency`, which the
    /// subscriptions divide among them.
    #[serde(default = "default_capacity")]
    #[schemars(range(min = 1))]
    pub capacity: u32,
    /// How long a message may be out before it is given to another member of the group, at most a year. It is extended
    /// while the handler runs.
    #[serde(with = "duration", default = "default_visibility")]
    #[schemars(schema_with = "duration::schema")]
    pub visibility: Duration,
    /// How often a message is tried before it goes to the dead-letter topic.
    #[serde(default = "default_max_deliveries")]
    #[schemars(range(min = 1))]
    pub max_deliveries: u32,
    /// The topic for messages that were tried too often. The default is `<topic>.<group>.dead`.
    pub dead_letter: Option<String>,
}

impl Subscription {
    /// A subscription of the default client with nothing else set.
    pub fn new(topics: impl IntoIterator<Item = impl Into<String>>, group: impl Into<String>) -> Self {
        Self {
            client: default_client(),
            topics: topics.into_iter().map(Into::into).collect(),
            group: group.into(),
            capacity: default_capacity(),
            visibility: default_visibility(),
            max_deliveries: default_max_deliveries(),
            dead_letter: None,
        }
    }

    /// Where messages of one of the topics go that were tried too often.
    pub fn dead_letter_topic(&self, topic: &str) -> String {
        self.dead_letter.clone().unwrap_or_else(|| default_dead_letter(topic, &self.group))
    }
}

fn default_client() -> String {
    DEFAULT.to_owned()
}

fn default_capacity() -> u32 {
    16
}

fn default_visibility() -> Duration {
    Duration::from_secs(30)
}

fn default_max_deliveries() -> u32 {
    5
}

fn default_dead_letter(topic: &str, group: &str) -> String {
    format!("{topic}.{group}.dead")
}

/// What the schema cannot say of the subscriptions: each has a route, its names are legal, no group subscribes to a topic
/// twice, and none to its own dead-letter topics.
pub(crate) fn check(file: &Table, findings: &mut Findings) {
    let clients: BTreeSet<&str> = routes(file, Capability::Messaging).map(|route| canonical(&route.key)).collect();
    let mut seen = BTreeSet::new();
    for item in file.table("messaging").into_iter().flat_map(|messaging| messaging.list(SUBSCRIPTIONS)) {
        let Some(table) = item.table() else { continue };
        let client = match table.get("client") {
            None => Some(DEFAULT),
            Some(node) => node.text().map(canonical),
        };
        if let Some(client) = client {
            check_client(item, table, client, &clients, findings);
        }
        let group = table.get("group");
        group.into_iter().for_each(|node| check_name_in(node, "group name", findings));
        table.get("dead-letter").into_iter().for_each(|node| check_name_in(node, "dead-letter topic name", findings));
        for topic in table.list("topics") {
            check_topic(topic, table, findings);
            if let (Some(client), Some(name), Some(group)) = (client, topic.text(), group.and_then(Node::text))
                && !seen.insert((client, name, group))
            {
                let sentence = format!("the group subscribes to the topic {} twice through one client", topic.shown());
                findings.mistake(topic.span.clone(), sentence);
            }
        }
    }
}

fn check_client(item: &Node, table: &Table, client: &str, clients: &BTreeSet<&str>, findings: &mut Findings) {
    if clients.contains(client) || clients.contains(ANY) {
        return;
    }
    let node = table.get("client");
    let span: Range<usize> = node.map_or(item.span.clone(), |node| node.span.clone());
    let shown = node.map_or(format!("{DEFAULT:?}"), Node::shown);
    let known: Vec<&str> = clients.iter().copied().collect();
    let hint = match nearest::nearest(client, &known) {
        Some(near) => format!("; did you mean {near:?}?"),
        None => "; add one to [messaging], such as default = \"memory\"".to_owned(),
    };
    findings.mistake(span, format!("the subscription's client {shown} has no route{hint}"));
}

fn check_topic(topic: &Node, table: &Table, findings: &mut Findings) {
    check_name_in(topic, "topic name", findings);
    let Some(name) = topic.text() else { return };
    match table.get("dead-letter") {
        Some(dead_letter) if dead_letter.text() == Some(name) => {
            let sentence = "the dead-letter topic is one of the subscription's own topics: its messages would go round";
            findings.mistake(dead_letter.span.clone(), sentence);
        }
        Some(_) => {}
        None => {
            let Some(group) = table.get("group").and_then(Node::text) else {
                return;
            };
            check_default_dead_letter(topic, name, group, table, findings);
            // A name that is too long by itself was reported.
            let legal = check_name("", name).is_ok() && check_name("", group).is_ok();
            if legal && check_name("", &default_dead_letter(name, group)).is_err() {
                let sentence = format!(
                    "the default dead-letter topic <topic>.<group>.dead of this topic would have more than \
                     {MAX_NAME_BYTES} bytes; give one with \"dead-letter\""
                );
                findings.mistake(topic.span.clone(), sentence);
            }
        }
    }
}

/// Finds a topic whose failed messages would go to this one.
fn check_default_dead_letter(topic: &Node, name: &str, group: &str, table: &Table, findings: &mut Findings) {
    let mut others = table.list("topics").iter();
    let source = others.find(|other| other.text().is_some_and(|other| default_dead_letter(other, group) == name));
    if let Some(source) = source {
        let sentence = format!(
            "the topic {} is the dead-letter topic of {}: its messages would go round; subscribe to it in another group, or \
             give another with \"dead-letter\"",
            topic.shown(),
            source.shown()
        );
        findings.mistake(topic.span.clone(), sentence);
    }
}
