use serde_json::{Map, Value as Json, json};
use slight_capabilities::ProviderKind;

use crate::{config::file_schema, providers::section_schema};

/// One JSON schema of the whole file, for editors (`taplo`, Even Better TOML and others).
///
/// A provider section is one of the kinds, told apart by `type`; in a section that is named after a kind, `type` may be
/// left out. Written in the words that draft 7 and 2020-12 share, since editors speak the former.
pub fn schema(kinds: &[ProviderKind]) -> Json {
    let mut schema = file_schema();
    let Some(members) = schema.as_object_mut() else {
        return schema;
    };
    members.insert("$schema".to_owned(), "http://json-schema.org/draft-07/schema#".into());
    members.insert("title".to_owned(), "slight".into());
    members.insert("definitions".to_owned(), Json::Object(definitions(kinds)));
    if let Some(providers) = schema.pointer_mut("/properties/providers").and_then(Json::as_object_mut) {
        providers.insert("properties".to_owned(), kinds.iter().map(|kind| named(kind, kinds)).collect());
        providers.insert("additionalProperties".to_owned(), any_of(kinds.iter().map(reference).collect()));
    }
    schema
}

/// Each kind twice: with `type`, and with `type` left to the section's name.
fn definitions(kinds: &[ProviderKind]) -> Map<String, Json> {
    let pairs = kinds.iter().flat_map(|kind| {
        let by_name = section_schema(kind);
        let mut by_type = by_name.clone();
        if let Some(members) = by_type.as_object_mut() {
            let required = members.entry("required").or_insert_with(|| json!([]));
            required.as_array_mut().into_iter().for_each(|required| required.push("type".into()));
        }
        [(kind.name.to_owned(), by_type), (by_name_key(kind), by_name)]
    });
    pairs.collect()
}

/// The section with the name of a kind: that kind, unless `type` says otherwise.
fn named(kind: &ProviderKind, kinds: &[ProviderKind]) -> (String, Json) {
    let others = kinds.iter().filter(|other| other.name != kind.name).map(reference);
    let own = json!({ "$ref": format!("#/definitions/{}", by_name_key(kind)) });
    (kind.name.to_owned(), any_of(std::iter::once(own).chain(others).collect()))
}

fn by_name_key(kind: &ProviderKind) -> String {
    format!("{}-by-name", kind.name)
}

fn reference(kind: &ProviderKind) -> Json {
    json!({ "$ref": format!("#/definitions/{}", kind.name) })
}

fn any_of(branches: Vec<Json>) -> Json {
    match branches.as_slice() {
        [] => Json::Bool(false),
        [only] => only.clone(),
        _ => json!({ "anyOf": branches }),
    }
}
