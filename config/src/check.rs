use serde_json::Value as Json;

use crate::{
    document::{Entry, Node, Table, Value},
    findings::Findings,
    nearest,
    place::Place,
    shape, values,
};

/// Holds a value against a JSON schema. `root` is where the schema's `$ref` point to.
pub(crate) fn check(node: &Node, schema: &Json, root: &Json, place: &Place, findings: &mut Findings) {
    let schema = shape::follow(schema, root);
    if shape::is_secret(schema) {
        findings.hide(node);
    }
    if shape::is_path(schema) {
        findings.path(node);
    }
    if !shape::takes_type(schema, node) {
        return wrong_type(node, schema, place, findings);
    }
    for part in schema.get("allOf").and_then(Json::as_array).into_iter().flatten() {
        check(node, part, root, place, findings);
    }
    if let Some(values) = shape::listed_values(schema) {
        return check_listed(node, &values, schema, place, findings);
    }
    check_alternatives(node, schema, root, place, findings);
    match &node.value {
        Value::Text(text) => values::check_text(node, text, schema, place, findings),
        Value::Integer(number) => values::check_number(node, *number as f64, schema, place, findings),
        Value::Float(number) => values::check_number(node, *number, schema, place, findings),
        Value::List(items) => check_list(node, items, schema, root, place, findings),
        Value::Table(table) => check_table(node, table, schema, root, place, findings),
        Value::Boolean(_) | Value::DateTime(_) | Value::Unreadable => {}
    }
}

fn wrong_type(node: &Node, schema: &Json, place: &Place, findings: &mut Findings) {
    if shape::may_hold_secret(schema) {
        findings.hide(node);
    }
    let (what, expected, found) = (place.value(), shape::expected(schema), shape::found(node));
    findings.mistake(node.span.clone(), format!("{what} must be {expected}, not {found}"));
}

fn check_listed(node: &Node, values: &[&Json], schema: &Json, place: &Place, findings: &mut Findings) {
    let unresolved = matches!(&node.value, Value::Text(text) if text.resolved.is_none());
    if unresolved || values.contains(&&node.to_json()) {
        return;
    }
    let mut sentence = values::not_as_expected(node, &shape::expected(schema), place, findings);
    if let (Value::Text(text), false) = (&node.value, findings.is_hidden(node)) {
        let known: Vec<&str> = values.iter().filter_map(|value| value.as_str()).collect();
        if let Some(name) = nearest::nearest(&text.source, &known) {
            sentence.push_str(&format!("; did you mean {name:?}?"));
        }
    }
    findings.mistake(node.span.clone(), sentence);
}

/// Reports what is wrong with the alternative that the value is closest to.
fn check_alternatives(node: &Node, schema: &Json, root: &Json, place: &Place, findings: &mut Findings) {
    let branches: Vec<&Json> =
        shape::alternatives(schema).into_iter().map(|branch| shape::follow(branch, root)).collect();
    if branches.is_empty() {
        return;
    }
    let trials = branches.into_iter().filter(|branch| shape::takes_type(branch, node)).map(|branch| {
        let mut trial = findings.trial();
        check(node, branch, root, place, &mut trial);
        (!is_tagged_for(branch, node), trial)
    });
    let mut trials: Vec<(bool, Findings)> = trials.collect();
    trials.sort_by_key(|(other_tag, trial)| (trial.count() > 0, *other_tag, trial.count()));
    let mut trials = trials.into_iter().map(|(_, trial)| trial);
    match trials.next() {
        None => wrong_type(node, schema, place, findings),
        Some(best) => {
            findings.absorb(best);
            trials.for_each(|trial| findings.absorb_hidden(trial));
        }
    }
}

/// True when a table has what an alternative fixes with `const`: the tag of an enum.
fn is_tagged_for(branch: &Json, node: &Node) -> bool {
    let (Some(properties), Some(table)) = (shape::properties(branch), node.table()) else {
        return false;
    };
    properties.iter().any(|(key, property)| {
        let tag = property.get("const");
        tag.is_some() && table.get(key).map(Node::to_json).as_ref() == tag
    })
}

fn check_list(node: &Node, items: &[Node], schema: &Json, root: &Json, place: &Place, findings: &mut Findings) {
    values::check_count(node, items.len() as u64, ("minItems", "maxItems"), "item", schema, place, findings);
    if let Some(schema) = schema.get("items") {
        items.iter().for_each(|item| check(item, schema, root, &place.item(), findings));
    }
}

fn check_table(node: &Node, table: &Table, schema: &Json, root: &Json, place: &Place, findings: &mut Findings) {
    let properties = shape::properties(schema);
    for entry in &table.entries {
        match properties.and_then(|properties| properties.get(&entry.key)) {
            Some(property) => check(&entry.node, property, root, &place.key(&entry.key), findings),
            None => check_other_key(entry, schema, root, place, findings),
        }
    }
    let required = schema.get("required").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str);
    for key in required.filter(|key| table.get(key).is_none()) {
        findings.mistake(node.span.clone(), format!("{} needs the key {key:?}", place.table()));
    }
}

/// True when a value is of a type that the schema, or one of its alternatives, allows.
fn takes(schema: &Json, root: &Json, node: &Node) -> bool {
    let schema = shape::follow(schema, root);
    let alternatives = shape::alternatives(schema);
    let fits = |branch: &&Json| shape::takes_type(shape::follow(branch, root), node);
    shape::takes_type(schema, node) && (alternatives.is_empty() || alternatives.iter().any(fits))
}

/// A key that `properties` does not list.
fn check_other_key(entry: &Entry, schema: &Json, root: &Json, place: &Place, findings: &mut Findings) {
    let mut known = shape::keys(schema, root);
    match (schema.get("additionalProperties"), schema.get("unevaluatedProperties")) {
        // What is of no type that any name may have is a mistyped key.
        (Some(others), _) if nearest::nearest(&entry.key, &known).is_some() && !takes(others, root, &entry.node) => {}
        (Some(others @ Json::Object(_)), _) => {
            return check(&entry.node, others, root, &place.key(&entry.key), findings);
        }
        (Some(Json::Bool(false)), _) => {}
        (None, Some(Json::Bool(false))) if !known.contains(&entry.key.as_str()) => {}
        _ => return,
    }
    // Nobody knows what it is: it may be a secret under a misspelt key.
    findings.hide(&entry.node);
    known.sort_unstable();
    let hint = nearest::hint(&entry.key, "keys here", &known);
    findings.mistake(entry.key_span.clone(), format!("unknown key {:?} in {}{hint}", entry.key, place.table()));
}
