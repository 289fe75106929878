//! The schema for editors, and the tables for people.

use serde_json::Value as Json;

use super::*;
use crate::{check, document, findings::Findings, place::Place, schema, settings_table};

/// How many mistakes a text has when it is held against the schema alone.
fn mistakes_against_schema(text: &str) -> usize {
    let source = Source { name: "slight.toml", text, dir: Path::new("."), env: &env };
    let mut findings = Findings::default();
    let document = document::read(&source, &mut findings).unwrap();
    let schema = schema(&kinds());
    check::check(&document, &schema, &schema, &Place::root(), &mut findings);
    findings.count()
}

#[test]
fn the_schema_accepts_the_example() {
    assert_eq!(mistakes_against_schema(EXAMPLE), 0);
}

#[test]
fn the_schema_tells_sections_apart_by_type_or_name() {
    assert_eq!(mistakes_against_schema("[providers.redis]\nurl = 'u'"), 0);
    assert_eq!(mistakes_against_schema("[providers.redis]\ntype = 'file'"), 0);
    assert_eq!(mistakes_against_schema("[providers.cache]\ntype = 'redis'\nurl = 'u'"), 0);
    assert_eq!(mistakes_against_schema("[providers.cache]\ntype = 'redis'\nulr = 'u'"), 2);
    assert_eq!(mistakes_against_schema("[providers.file]\nurl = 'u'"), 1);
    assert_ne!(mistakes_against_schema("[providers.cache]\nurl = 'u'"), 0);
}

#[test]
fn the_schema_without_kinds_takes_no_section() {
    let schema = schema(&[]);
    assert_eq!(schema.pointer("/properties/providers/additionalProperties"), Some(&Json::Bool(false)));
}

#[test]
fn every_reference_of_the_schema_leads_somewhere() {
    fn walk(part: &Json, root: &Json, seen: &mut usize) {
        if let Some(reference) = part.get("$ref").and_then(Json::as_str) {
            assert!(root.pointer(reference.strip_prefix('#').unwrap()).is_some(), "{reference}");
            *seen += 1;
        }
        part.as_object().into_iter().flat_map(|members| members.values()).for_each(|member| walk(member, root, seen));
        part.as_array().into_iter().flatten().for_each(|item| walk(item, root, seen));
    }
    let schema = schema(&kinds());
    let mut seen = 0;
    walk(&schema, &schema, &mut seen);
    assert_eq!(seen, 4 + 4 * 4);
}

#[test]
fn every_key_has_a_description_and_every_limit_a_default() {
    fn walk(part: &Json, path: &str) {
        for (key, property) in part.get("properties").and_then(Json::as_object).into_iter().flatten() {
            let path = format!("{path}.{key}");
            assert!(property.get("description").is_some(), "{path}");
            assert!(!path.starts_with(".limits.") || property.get("default").is_some(), "{path}");
            walk(property, &path);
        }
    }
    let mut schema = schema(&kinds());
    schema.pointer_mut("/properties/providers").and_then(Json::as_object_mut).unwrap().remove("properties");
    walk(&schema, "");
    schema.get("definitions").and_then(Json::as_object).unwrap().values().for_each(|kind| walk(kind, ""));
}

#[test]
fn the_schema_shows_defaults_in_readable_units() {
    let schema = schema(&[]);
    let default = |limit: &str| schema.pointer(&format!("/properties/limits/properties/{limit}/default")).cloned();
    assert_eq!(default("memory"), Some("256MiB".into()));
    assert_eq!(default("timeout"), Some("30s".into()));
    assert_eq!(default("concurrency"), Some(256.into()));
}

#[test]
fn the_defaults_of_the_schema_are_good_and_mean_what_holds_without_them() {
    let schema = schema(&[]);
    let limits = schema.pointer("/properties/limits/properties").and_then(Json::as_object).unwrap();
    let lines = limits.iter().map(|(limit, property)| format!("{limit} = {}\n", property.get("default").unwrap()));
    let config = good(&format!("[limits]\n{}", lines.collect::<String>()));
    assert_eq!(config.limits, crate::Limits::default());
}

#[test]
fn settings_make_a_table() {
    let redis = kinds().into_iter().find(|kind| kind.name == "redis").unwrap();
    let expected = r#"| key | type | default | meaning |
| --- | --- | --- | --- |
| `blob` | table |  | How blobs are kept. |
| `blob.key` | secret |  | What they are encrypted with. |
| `blob.location` | string | `"slight-blob"` | Where they are. |
| `database` | integer | `0` | The database. |
| `mode` | `"once"` or `"stubborn"` | `"once"` | How hard to try. |
| `patience` | duration |  | How long to wait. |
| `region` | string |  | Lower-case letters. |
| `servers` | list of string | `[]` | The servers. |
| `share` | number |  | How much of the traffic to take. |
| `token` | secret |  | A token of two letters. |
| `url` | secret | required | The URL, with \| and credentials. |
"#;
    assert_eq!(settings_table(redis.schema.as_value()), expected);
}

#[test]
fn the_table_of_the_file_reaches_into_lists_and_routes() {
    let table = settings_table(&schema(&[]));
    for key in ["`limits.memory`", "`component.files[].host`", "`blob.*.existing`", "`messaging.subscriptions[].group`"]
    {
        assert!(table.contains(key), "{key} is not in\n{table}");
    }
}
