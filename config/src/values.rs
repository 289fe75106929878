//! What a schema asks of a single value: the format and length of a text, the range of a number.

use regex_lite::Regex;
use serde_json::Value as Json;

use crate::{
    document::{Node, Text},
    findings::Findings,
    place::Place,
    shape,
};

/// `what must be expected, not shown`, without the last part where the value is a secret.
pub(crate) fn not_as_expected(node: &Node, expected: &str, place: &Place, findings: &Findings) -> String {
    let what = place.value();
    if findings.is_hidden(node) {
        format!("{what} must be {expected}")
    } else {
        format!("{what} must be {expected}, not {}", node.shown())
    }
}

pub(crate) fn check_text(node: &Node, text: &Text, schema: &Json, place: &Place, findings: &mut Findings) {
    let Some(resolved) = &text.resolved else {
        return;
    };
    if let Some(format) = shape::format(schema) {
        if let Err(detail) = (format.check)(resolved) {
            let mut sentence = not_as_expected(node, format.expected, place, findings);
            if !detail.is_empty() {
                sentence.push_str(&format!(": {detail}"));
            }
            findings.mistake(node.span.clone(), sentence);
        }
        return;
    }
    let length = resolved.chars().count() as u64;
    check_count(node, length, ("minLength", "maxLength"), "character", schema, place, findings);
    let pattern = schema.get("pattern").and_then(Json::as_str).and_then(|pattern| Regex::new(pattern).ok());
    if let Some(pattern) = pattern.filter(|pattern| !pattern.is_match(resolved)) {
        let expected = format!("of the form {:?}", pattern.as_str());
        findings.mistake(node.span.clone(), not_as_expected(node, &expected, place, findings));
    }
}

pub(crate) fn check_count(
    node: &Node,
    count: u64,
    (least, most): (&str, &str),
    noun: &str,
    schema: &Json,
    place: &Place,
    findings: &mut Findings,
) {
    let bound = |keyword: &str| schema.get(keyword).and_then(Json::as_u64);
    let (what, plural) = (place.value(), |bound: u64| if bound == 1 { "" } else { "s" });
    if let Some(bound) = bound(least).filter(|bound| count < *bound) {
        findings.mistake(node.span.clone(), format!("{what} must have at least {bound} {noun}{}", plural(bound)));
    }
    if let Some(bound) = bound(most).filter(|bound| count > *bound) {
        findings.mistake(node.span.clone(), format!("{what} must have at most {bound} {noun}{}", plural(bound)));
    }
}

/// An integer beyond 2⁵³ is rounded, which no bound is near enough to tell.
pub(crate) fn check_number(node: &Node, number: f64, schema: &Json, place: &Place, findings: &mut Findings) {
    let (least, most) = format_range(schema);
    let bound = |keyword: &str| schema.get(keyword).and_then(Json::as_f64);
    let broken = [
        bound("minimum").or(least).filter(|bound| number < *bound).map(|bound| format!("at least {bound}")),
        bound("maximum").or(most).filter(|bound| number > *bound).map(|bound| format!("at most {bound}")),
        bound("exclusiveMinimum").filter(|bound| number <= *bound).map(|bound| format!("more than {bound}")),
        bound("exclusiveMaximum").filter(|bound| number >= *bound).map(|bound| format!("less than {bound}")),
    ];
    if let Some(expected) = broken.into_iter().flatten().next() {
        findings.mistake(node.span.clone(), not_as_expected(node, &expected, place, findings));
    }
}

/// The range of the Rust type that a schema's `format` names; schemars does not always write it out.
fn format_range(schema: &Json) -> (Option<f64>, Option<f64>) {
    match schema.get("format").and_then(Json::as_str) {
        Some("uint8") => (Some(0.0), Some(u8::MAX.into())),
        Some("uint16") => (Some(0.0), Some(u16::MAX.into())),
        Some("uint32") => (Some(0.0), Some(u32::MAX.into())),
        Some("uint64" | "uint") => (Some(0.0), None),
        Some("int8") => (Some(i8::MIN.into()), Some(i8::MAX.into())),
        Some("int16") => (Some(i16::MIN.into()), Some(i16::MAX.into())),
        Some("int32") => (Some(i32::MIN.into()), Some(i32::MAX.into())),
        _ => (None, None),
    }
}
