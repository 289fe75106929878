//! The bullets of the contracts and the cases of the suites are the same.

#![allow(clippy::panic, reason = "all of it is a test")]

use std::collections::BTreeSet;

use slight_conformance::{blob, key_value, messaging, provider};

/// The bold leads of the `# Behavior` bullets of every trait in a source file, in snake case.
fn bullets(source: &str) -> Vec<String> {
    let mut bullets = Vec::new();
    let mut in_behavior = false;
    for line in source.lines().map(str::trim_start) {
        match line.strip_prefix("///").map(str::trim_start) {
            None => in_behavior = false,
            Some(text) if text.starts_with('#') => in_behavior = text == "# Behavior",
            Some(text) if in_behavior && text.starts_with("- ") => {
                let lead = text.strip_prefix("- **").and_then(|rest| rest.split("**").next());
                let lead = lead.unwrap_or_else(|| panic!("a bullet without a bold lead: {text}"));
                bullets.push(lead.to_lowercase().replace([' ', '-'], "_"));
            }
            Some(_) => {}
        }
    }
    bullets
}

#[track_caller]
fn are_the_same(source: &str, cases: &[&str]) {
    let bullets = bullets(source);
    assert!(bullets.len() > 5, "only {} bullets were found", bullets.len());
    let said: BTreeSet<_> = bullets.iter().map(String::as_str).collect();
    let tried: BTreeSet<_> = cases.iter().copied().collect();
    assert_eq!(said.len(), bullets.len(), "a bullet is there twice");
    assert_eq!(tried.len(), cases.len(), "a case is there twice");
    let (untried, unsaid) = (said.difference(&tried), tried.difference(&said));
    let (untried, unsaid): (Vec<_>, Vec<_>) = (untried.collect(), unsaid.collect());
    assert!(
        untried.is_empty() && unsaid.is_empty(),
        "bullets without a case: {untried:?}; cases without a bullet: {unsaid:?}"
    );
}

#[test]
fn every_provider_bullet_is_a_case() {
    let cases: Vec<_> = provider::CASES.iter().map(|case| case.name).collect();
    are_the_same(include_str!("../../../capabilities/src/provider.rs"), &cases);
}

#[test]
fn every_key_value_bullet_is_a_case() {
    let cases: Vec<_> = key_value::CASES.iter().map(|case| case.name).collect();
    are_the_same(include_str!("../../../capabilities/src/key_value.rs"), &cases);
}

#[test]
fn every_blob_bullet_is_a_case() {
    let cases: Vec<_> = blob::CASES.iter().map(|case| case.name).collect();
    are_the_same(include_str!("../../../capabilities/src/blob.rs"), &cases);
}

#[test]
fn every_messaging_bullet_is_a_case() {
    let cases: Vec<_> = messaging::CASES.iter().map(|case| case.name).collect();
    are_the_same(include_str!("../../../capabilities/src/messaging.rs"), &cases);
}

#[test]
fn bullets_are_told_from_other_lists() {
    let source = "
        /// - **not a bullet**: before the heading.
        ///
        /// # Behavior
        /// - **a first one of 512 KiB**: text.
        /// Heading:
        /// - **a second**.
        /// # Errors
        /// - **not this**.
        trait A {
            /// - **nor this**
        }";
    assert_eq!(bullets(source), ["a_first_one_of_512_kib", "a_second"]);
}
