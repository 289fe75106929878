use serde_json::Value as Json;

use crate::shape;

/// The settings that a schema describes, as a table in Markdown: key, type, default and meaning. A key of a table in the
/// settings has the table's name before it (`blob.location`), one of a list's tables `[]` (`files[].host`), and one of a table
/// with names of the user's choice `.*` (`key-value.*.prefix`).
pub fn settings_table(schema: &Json) -> String {
    let mut table = "| key | type | default | meaning |\n| --- | --- | --- | --- |\n".to_owned();
    rows(schema, "", &mut table);
    table
}

fn rows(schema: &Json, path: &str, table: &mut String) {
    let required: Vec<&str> =
        schema.get("required").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str).collect();
    for (key, property) in shape::properties(schema).into_iter().flatten() {
        let key_path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        let default = match property.get("default").filter(|default| !default.is_null()) {
            Some(Json::Object(_)) => String::new(),
            Some(default) => format!("`{default}`"),
            None if required.contains(&key.as_str()) => "required".to_owned(),
            None => String::new(),
        };
        let cells = [format!("`{key_path}`"), type_name(property), default, meaning(property)];
        let cells = cells.map(|cell| cell.replace('|', "\\|"));
        table.push_str(&format!("| {} |\n", cells.join(" | ")));
        rows_within(property, &key_path, table);
    }
}

/// The rows of the tables that a value is, or holds.
fn rows_within(schema: &Json, path: &str, table: &mut String) {
    rows(schema, path, table);
    for (keyword, mark) in [("items", "[]"), ("additionalProperties", ".*")] {
        if let Some(held) = schema.get(keyword) {
            rows_within(held, &format!("{path}{mark}"), table);
        }
    }
    // Values that are listed have no tables among them.
    if shape::listed_values(schema).is_none() {
        shape::alternatives(schema).into_iter().for_each(|branch| rows_within(branch, path, table));
    }
}

fn type_name(schema: &Json) -> String {
    if shape::is_secret(schema) {
        return "secret".to_owned();
    }
    if let Some(name @ ("size" | "duration" | "origin" | "path" | "total-memory")) =
        schema.get("format").and_then(Json::as_str)
    {
        return name.to_owned();
    }
    if let Some(values) = shape::listed_values(schema) {
        let values: Vec<String> = values.into_iter().map(|value| format!("`{value}`")).collect();
        return values.join(" or ");
    }
    let mut names: Vec<String> = match shape::alternatives(schema) {
        branches if branches.is_empty() => {
            shape::types(schema).into_iter().filter(|name| *name != "null").map(|name| one_type(name, schema)).collect()
        }
        branches => branches.into_iter().map(type_name).collect(),
    };
    names.dedup();
    names.join(" or ")
}

fn one_type(name: &str, schema: &Json) -> String {
    let held = |keyword: &str| schema.get(keyword).filter(|held| held.is_object()).map(type_name);
    match name {
        "array" => held("items").map_or("list".to_owned(), |held| format!("list of {held}")),
        "object" => held("additionalProperties").map_or("table".to_owned(), |held| format!("table of {held}")),
        name => name.to_owned(),
    }
}

fn meaning(schema: &Json) -> String {
    let text = schema.get("description").and_then(Json::as_str).unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
