//! Reading JSON schemas: the part of the language that schemars writes.

use serde_json::{Map, Value as Json};

use crate::{
    document::{Node, Value},
    format::{self, Format},
    nearest,
};

/// A schema with its `$ref` followed, in the schema that holds the definitions.
pub(crate) fn follow<'s>(schema: &'s Json, root: &'s Json) -> &'s Json {
    let target = schema.get("$ref").and_then(Json::as_str).and_then(|reference| reference.strip_prefix('#'));
    target.and_then(|pointer| root.pointer(pointer)).unwrap_or(schema)
}

/// The alternatives of `anyOf` or `oneOf`, but for `null`, which TOML does not have.
pub(crate) fn alternatives(schema: &Json) -> Vec<&Json> {
    let listed = schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Json::as_array);
    listed.into_iter().flatten().filter(|branch| types(branch) != ["null"]).collect()
}

/// The types that a schema names; none when it leaves them open.
pub(crate) fn types(schema: &Json) -> Vec<&str> {
    match schema.get("type") {
        Some(Json::String(one)) => vec![one],
        Some(Json::Array(many)) => many.iter().filter_map(Json::as_str).collect(),
        _ => Vec::new(),
    }
}

/// True when a value is of a type that the schema allows.
pub(crate) fn takes_type(schema: &Json, node: &Node) -> bool {
    let types = types(schema);
    let is = |name: &str| types.contains(&name);
    types.is_empty()
        || match &node.value {
            Value::Text(_) => is("string"),
            Value::Integer(_) => is("integer") || is("number"),
            Value::Float(_) => is("number"),
            Value::Boolean(_) => is("boolean"),
            Value::DateTime(_) => false,
            Value::List(_) => is("array"),
            Value::Table(_) => is("object"),
            Value::Unreadable => true,
        }
}

/// The values that a schema lists, as `enum`, `const`, or alternatives that are all one of these.
pub(crate) fn listed_values(schema: &Json) -> Option<Vec<&Json>> {
    if let Some(values) = schema.get("enum").and_then(Json::as_array) {
        return Some(values.iter().filter(|value| !value.is_null()).collect());
    }
    if let Some(value) = schema.get("const") {
        return Some(vec![value]);
    }
    let branches = alternatives(schema);
    if branches.is_empty() {
        return None;
    }
    let values: Option<Vec<Vec<&Json>>> = branches.into_iter().map(listed_values).collect();
    values.map(|values| values.into_iter().flatten().collect())
}

/// The settings of a table by name.
pub(crate) fn properties(schema: &Json) -> Option<&Map<String, Json>> {
    schema.get("properties").and_then(Json::as_object)
}

/// The keys of a table, with those that its alternatives add.
pub(crate) fn keys<'s>(schema: &'s Json, root: &'s Json) -> Vec<&'s str> {
    let own = properties(schema).into_iter().flat_map(|properties| properties.keys().map(String::as_str));
    let parts = schema.get("allOf").and_then(Json::as_array).into_iter().flatten();
    let added = alternatives(schema).into_iter().chain(parts).flat_map(|part| keys(follow(part, root), root));
    own.chain(added).collect()
}

/// The format of a string, if it is one that is checked.
pub(crate) fn format(schema: &Json) -> Option<&'static Format> {
    schema.get("format").and_then(Json::as_str).and_then(format::find)
}

/// True for the schema of a value that must not be shown.
pub(crate) fn is_secret(schema: &Json) -> bool {
    schema.get("writeOnly").and_then(Json::as_bool) == Some(true)
}

/// True for the schema of a path on the host, which starts at the file's directory if it is relative.
pub(crate) fn is_path(schema: &Json) -> bool {
    schema.get("format").and_then(Json::as_str) == Some("path")
}

/// True when a secret may stand somewhere in a value of this schema.
pub(crate) fn may_hold_secret(schema: &Json) -> bool {
    match schema {
        // Anything goes there, so a secret does.
        Json::Bool(open) => *open,
        Json::Object(members) if members.is_empty() => true,
        Json::Object(members) => {
            is_secret(schema)
                || members.contains_key("$ref")
                || members.iter().any(|(keyword, member)| match (keyword.as_str(), member) {
                    ("properties", Json::Object(properties)) => properties.values().any(may_hold_secret),
                    ("items" | "additionalProperties", member) => may_hold_secret(member),
                    ("anyOf" | "oneOf" | "allOf", Json::Array(branches)) => branches.iter().any(may_hold_secret),
                    _ => false,
                })
        }
        _ => false,
    }
}

/// What a schema asks for, as it stands in a sentence: `a string or a table`.
pub(crate) fn expected(schema: &Json) -> String {
    if let Some(format) = format(schema) {
        return format.expected.to_owned();
    }
    if let Some(values) = listed_values(schema) {
        let values: Vec<String> = values.into_iter().map(Json::to_string).collect();
        return nearest::joined(&values, "or");
    }
    let mut words: Vec<String> = match alternatives(schema) {
        branches if branches.is_empty() => types(schema).into_iter().filter_map(type_word).map(str::to_owned).collect(),
        branches => branches.into_iter().map(expected).collect(),
    };
    words.dedup();
    if words.is_empty() { "something else".to_owned() } else { nearest::joined(&words, "or") }
}

/// What a value is, as it stands in a sentence.
pub(crate) fn found(node: &Node) -> &'static str {
    match &node.value {
        Value::Text(_) => "a string",
        Value::Integer(_) => "an integer",
        Value::Float(_) => "a number with a fraction",
        Value::Boolean(_) => "true or false",
        Value::DateTime(_) => "a date",
        Value::List(_) => "a list",
        Value::Table(_) => "a table",
        Value::Unreadable => "this",
    }
}

fn type_word(name: &str) -> Option<&'static str> {
    match name {
        "string" => Some("a string"),
        "integer" => Some("an integer"),
        "number" => Some("a number"),
        "boolean" => Some("true or false"),
        "array" => Some("a list"),
        "object" => Some("a table"),
        _ => None,
    }
}
