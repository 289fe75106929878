use std::{ops::Range, path::Path};

use serde_json::Value as Json;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::{Source, findings::Findings, references};

/// A value of the file and where it stands.
#[derive(Debug)]
pub(crate) struct Node {
    pub span: Range<usize>,
    pub value: Value,
}

#[derive(Debug)]
pub(crate) enum Value {
    Text(Text),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    DateTime(String),
    List(Vec<Node>),
    Table(Table),
    /// Reported already; nothing more is said about it.
    Unreadable,
}

/// A string.
#[derive(Debug)]
pub(crate) struct Text {
    /// As it stands in the file: what messages show.
    pub source: String,
    /// With its references replaced; `None` when one of them could not be.
    pub resolved: Option<String>,
}

/// A table, in the order of the file.
#[derive(Debug, Default)]
pub(crate) struct Table {
    pub entries: Vec<Entry>,
}

#[derive(Debug)]
pub(crate) struct Entry {
    pub key: String,
    pub key_span: Range<usize>,
    pub node: Node,
}

impl Table {
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.node)
    }

    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// A sub-table; `None` when it is not there or is something else.
    pub fn table(&self, key: &str) -> Option<&Self> {
        self.get(key).and_then(Node::table)
    }

    pub fn list(&self, key: &str) -> &[Node] {
        match self.get(key).map(|node| &node.value) {
            Some(Value::List(items)) => items,
            _ => &[],
        }
    }
}

impl Node {
    pub fn table(&self) -> Option<&Table> {
        match &self.value {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }

    /// The string that this is, with references replaced.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => text.resolved.as_deref(),
            _ => None,
        }
    }

    /// The value as the file writes it, for messages.
    pub fn shown(&self) -> String {
        match &self.value {
            Value::Text(text) => format!("{:?}", text.source),
            Value::Integer(number) => number.to_string(),
            Value::Float(number) => number.to_string(),
            Value::Boolean(value) => value.to_string(),
            Value::DateTime(value) => value.clone(),
            Value::List(_) => "a list".to_owned(),
            Value::Table(_) => "a table".to_owned(),
            Value::Unreadable => "this".to_owned(),
        }
    }

    /// The value with references replaced.
    pub fn to_json(&self) -> Json {
        self.json(&|text, _| text.resolved.clone().unwrap_or_default())
    }

    /// The same for the settings types: relative paths start at `dir`.
    pub fn to_settings(&self, dir: &Path, findings: &Findings) -> Json {
        self.json(&|text, node| {
            let text = text.resolved.clone().unwrap_or_default();
            if findings.is_path(node) { dir.join(text).to_string_lossy().into_owned() } else { text }
        })
    }

    /// The value as the file writes it, with hidden values masked, for `Debug`.
    pub fn to_redacted_json(&self, findings: &Findings) -> Json {
        if findings.is_hidden(self) {
            return Json::from("***");
        }
        self.json(&|text, node| {
            if findings.is_hidden(node) { "***".to_owned() } else { text.source.clone() }
        })
    }

    fn json(&self, string: &dyn Fn(&Text, &Self) -> String) -> Json {
        match &self.value {
            Value::Text(text) => string(text, self).into(),
            Value::Integer(number) => (*number).into(),
            Value::Float(number) => (*number).into(),
            Value::Boolean(value) => (*value).into(),
            Value::DateTime(value) => value.clone().into(),
            Value::List(items) => items.iter().map(|item| item.json(string)).collect(),
            Value::Table(table) => {
                table.entries.iter().map(|entry| (entry.key.clone(), entry.node.json(string))).collect()
            }
            Value::Unreadable => Json::Null,
        }
    }
}

/// Reads the TOML of a source, with references replaced. Syntax errors and failed references become findings; after a
/// syntax error there is no document.
pub(crate) fn read(source: &Source<'_>, findings: &mut Findings) -> Option<Node> {
    let (document, errors) = DeTable::parse_recoverable(source.text);
    if errors.is_empty() {
        let value = Value::Table(table(document.get_ref(), source, findings));
        // The document's own span is the whole text; a key that is missing there is missing at its start.
        return Some(Node { span: 0..0, value });
    }
    for error in errors {
        let span = error.span().unwrap_or(0..0);
        if error.message() == "duplicate key" {
            duplicate(span, source, findings);
            continue;
        }
        // What a broken line holds is unknown: it may be a secret.
        findings.hide_span(&source.line(span.start));
        findings.mistake(span, format!("this is not TOML: {}", error.message()));
    }
    None
}

/// A key that is there a second time. What is on its line beside it may be a secret.
fn duplicate(span: Range<usize>, source: &Source<'_>, findings: &mut Findings) {
    let line = source.line(span.start);
    let before = source.text.get(line.start..span.start).unwrap_or_default();
    let is_alone = before.chars().all(|c| c.is_whitespace() || c == '[');
    findings.hide_span(&(if is_alone { span.end.min(line.end)..line.end } else { line }));
    let key = source.text.get(span.clone()).unwrap_or_default();
    findings.mistake(span, format!("this is not TOML: the key {key} is there twice in one table; keep one"));
}

fn table(entries: &DeTable<'_>, source: &Source<'_>, findings: &mut Findings) -> Table {
    let mut entries: Vec<Entry> = entries
        .iter()
        .map(|(key, value)| Entry {
            key: key.get_ref().clone().into_owned(),
            key_span: key.span(),
            node: node(value, source, findings),
        })
        .collect();
    entries.sort_by_key(|entry| entry.key_span.start);
    Table { entries }
}

fn node(value: &Spanned<DeValue<'_>>, source: &Source<'_>, findings: &mut Findings) -> Node {
    let span = value.span();
    let value = match value.get_ref() {
        DeValue::String(text) => Value::Text(self::text(text, &span, source, findings)),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Value::Integer(number),
            Err(_) => unreadable(&span, "this integer is too large", findings),
        },
        DeValue::Float(number) => match number.as_str().parse::<f64>() {
            Ok(number) if number.is_finite() => Value::Float(number),
            _ => unreadable(&span, "this number is infinite or too large", findings),
        },
        DeValue::Boolean(value) => Value::Boolean(*value),
        DeValue::Datetime(value) => Value::DateTime(value.to_string()),
        DeValue::Array(items) => Value::List(items.iter().map(|item| node(item, source, findings)).collect()),
        DeValue::Table(entries) => Value::Table(table(entries, source, findings)),
    };
    Node { span, value }
}

fn unreadable(span: &Range<usize>, sentence: &str, findings: &mut Findings) -> Value {
    findings.mistake(span.clone(), sentence);
    Value::Unreadable
}

fn text(text: &str, span: &Range<usize>, source: &Source<'_>, findings: &mut Findings) -> Text {
    let resolved = references::resolve(text, source).map_err(|unresolved| {
        let raw = source.text.get(span.clone()).unwrap_or_default();
        let mut from = 0;
        for one in unresolved {
            // An escape sequence in the string may keep the reference from being found as it is: then the string stands
            // for it.
            let found = raw.get(from..).and_then(|raw| raw.find(&one.reference)).map(|at| from + at);
            let span = found.map_or(span.clone(), |at| span.start + at..span.start + at + one.reference.len());
            from = found.map_or(from, |at| at + one.reference.len());
            findings.mistake(span, one.sentence);
        }
    });
    Text { source: text.to_owned(), resolved: resolved.ok() }
}
