use std::{collections::BTreeMap, fmt, ops::Range, path::Path};

use serde_json::{Map, Value as Json, json};
use slight_capabilities::ProviderKind;

use crate::{
    check,
    document::{Entry, Table, Value},
    findings::Findings,
    nearest,
    place::Place,
};

/// The provider that needs no section.
pub(crate) const MEMORY: &str = "memory";

/// One `[providers.X]`: a technology and how to reach it.
#[derive(Clone)]
pub struct ProviderSection {
    /// The name of the [`ProviderKind`].
    pub kind: String,
    /// The checked settings, without `type`, to give to [`ProviderKind::connect`]. They may hold secrets.
    pub settings: Json,
}

impl ProviderSection {
    /// The in-process provider, which has nothing to set.
    pub(crate) fn memory() -> Self {
        Self { kind: MEMORY.to_owned(), settings: Json::Object(Map::new()) }
    }
}

impl fmt::Debug for ProviderSection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Which value came from a reference is not known any more: only keys are safe.
        let keys: Vec<&String> = self.settings.as_object().into_iter().flat_map(Map::keys).collect();
        f.debug_struct("ProviderSection").field("kind", &self.kind).field("keys", &keys).finish_non_exhaustive()
    }
}

/// The sections that a file declares, by name, with what their kind is where that is known.
pub(crate) type Declared<'k> = BTreeMap<String, Option<&'k ProviderKind>>;

/// Checks every section against the schema of its kind.
pub(crate) fn check_sections<'k>(file: &Table, kinds: &'k [ProviderKind], findings: &mut Findings) -> Declared<'k> {
    let mut declared = Declared::new();
    if let Some(memory) = kinds.iter().find(|kind| kind.name == MEMORY) {
        declared.insert(MEMORY.to_owned(), Some(memory));
    }
    for section in file.table("providers").into_iter().flat_map(|providers| &providers.entries) {
        let kind = check_section(section, kinds, findings);
        declared.insert(section.key.clone(), kind);
    }
    declared
}

/// A checked section.
pub(crate) fn section(section: &Entry, dir: &Path, findings: &Findings) -> ProviderSection {
    let mut settings = section.node.to_settings(dir, findings);
    let kind = settings.as_object_mut().and_then(|members| members.remove("type"));
    let kind = kind.as_ref().and_then(Json::as_str).unwrap_or(&section.key).to_owned();
    ProviderSection { kind, settings }
}

/// The schema of a section of this kind, `type` included.
pub(crate) fn section_schema(kind: &ProviderKind) -> Json {
    let mut schema = kind.schema.as_value().clone();
    let Some(members) = schema.as_object_mut() else {
        return schema;
    };
    members.insert("type".to_owned(), "object".into());
    members.insert("title".to_owned(), kind.name.into());
    members.insert("description".to_owned(), kind.description.into());
    let properties = members.entry("properties").or_insert_with(|| json!({}));
    if let Some(properties) = properties.as_object_mut() {
        let meaning = "The technology. Left out, it is the section's own name.";
        properties.insert("type".to_owned(), json!({ "const": kind.name, "description": meaning }));
    }
    let open = ["anyOf", "oneOf", "allOf", "unevaluatedProperties"].iter().all(|part| !members.contains_key(*part));
    if open {
        members.insert("additionalProperties".to_owned(), false.into());
    }
    schema
}

fn check_section<'k>(section: &Entry, kinds: &'k [ProviderKind], findings: &mut Findings) -> Option<&'k ProviderKind> {
    let name = &section.key;
    let place = Place::root().key("providers").key(name);
    let Some(table) = section.node.table() else {
        findings.hide(&section.node);
        findings.mistake(section.key_span.clone(), format!("{} must be a table with settings", place.table()));
        return None;
    };
    let kind = match chosen(table, section, kinds) {
        Ok(kind) => kind,
        Err(wrong) => {
            // Without a kind nobody knows which of the values are secrets.
            table.entries.iter().filter(|entry| entry.key != "type").for_each(|entry| findings.hide(&entry.node));
            wrong.into_iter().for_each(|(span, sentence)| findings.mistake(span, sentence));
            return None;
        }
    };
    let schema = section_schema(kind);
    check::check(&section.node, &schema, &schema, &place, findings);
    Some(kind)
}

/// The kind that a section names, or what is wrong with that; nothing when it was reported already.
fn chosen<'k>(
    table: &Table,
    section: &Entry,
    kinds: &'k [ProviderKind],
) -> Result<&'k ProviderKind, Option<(Range<usize>, String)>> {
    let known: Vec<&str> = kinds.iter().map(|kind| kind.name).collect();
    let find = |wanted: &str| kinds.iter().find(|kind| kind.name == wanted);
    let name = &section.key;
    let Some(node) = table.get("type") else {
        return find(name).ok_or_else(|| {
            let hint = nearest::hint(name, "types", &known);
            let sentence = format!("[providers.{name}] needs a \"type\", since {name:?} is not one itself{hint}");
            Some((section.key_span.clone(), sentence))
        });
    };
    let Value::Text(text) = &node.value else {
        return Err(Some((node.span.clone(), "\"type\" must be a string".to_owned())));
    };
    let wanted = text.resolved.as_deref().ok_or(None)?;
    find(wanted).ok_or_else(|| {
        let hint = nearest::hint(&text.source, "types", &known);
        Some((node.span.clone(), format!("no provider is of the type {:?}{hint}", text.source)))
    })
}
