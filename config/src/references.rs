use std::{env::VarError, fs::File, io::Read};

use crate::Source;

/// The most that a `${file:…}` inserts: a secret is short, and the path may lead to a device that never ends.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// A reference that could not be followed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unresolved {
    /// The reference as it stands in the file, from `${` on.
    pub reference: String,
    /// What is wrong. Names only what a well-formed reference names, since anything else may be part of a secret.
    pub sentence: String,
}

/// Replaces `${env:NAME}` and `${file:PATH}` in `text`, and `$${` by `${`. What is inserted is not looked at again.
pub(crate) fn resolve(text: &str, source: &Source<'_>) -> Result<String, Vec<Unresolved>> {
    let mut resolved = String::with_capacity(text.len());
    let mut unresolved = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        resolved.push_str(before);
        if let Some(escaped) = after.strip_prefix("${") {
            resolved.push_str("${");
            rest = escaped;
        } else if let Some(opened) = after.strip_prefix('{') {
            let Some((body, behind)) = opened.split_once('}') else {
                let sentence = r#""${" has no closing "}"; a literal "${" is written "$${""#.to_owned();
                unresolved.push(Unresolved { reference: format!("${{{opened}"), sentence });
                return Err(unresolved);
            };
            match insert(body, source) {
                Ok(value) => resolved.push_str(&value),
                Err(sentence) => unresolved.push(Unresolved { reference: format!("${{{body}}}"), sentence }),
            }
            rest = behind;
        } else {
            resolved.push('$');
            rest = after;
        }
    }
    resolved.push_str(rest);
    if unresolved.is_empty() { Ok(resolved) } else { Err(unresolved) }
}

/// True for a text that is one or more references and nothing else: it may be shown even where a secret belongs.
pub(crate) fn is_only_references(text: &str) -> bool {
    let mut rest = text;
    while let Some((body, behind)) = rest.strip_prefix("${").and_then(|opened| opened.split_once('}')) {
        if !body.starts_with("env:") && !body.starts_with("file:") {
            return false;
        }
        rest = behind;
    }
    rest.is_empty() && !text.is_empty()
}

fn insert(body: &str, source: &Source<'_>) -> Result<String, String> {
    match body.split_once(':') {
        Some(("env", "")) => Err(r#"the name of the variable is missing; a reference is "${env:NAME}""#.to_owned()),
        Some(("file", "")) => Err(r#"the path of the file is missing; a reference is "${file:PATH}""#.to_owned()),
        Some(("env", name)) => variable(name, source),
        Some(("file", path)) => file(path, source),
        _ => Err(r#"a reference is "${env:NAME}" or "${file:PATH}"; a literal "${" is written "$${""#.to_owned()),
    }
}

fn variable(name: &str, source: &Source<'_>) -> Result<String, String> {
    (source.env)(name).map_err(|error| match error {
        VarError::NotPresent => format!("the environment variable {name:?} is not set"),
        VarError::NotUnicode(_) => format!("the environment variable {name:?} is not UTF-8"),
    })
}

fn file(path: &str, source: &Source<'_>) -> Result<String, String> {
    let full = source.dir.join(path);
    let mut bytes = Vec::new();
    File::open(&full)
        .and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|error| format!("the file {:?} cannot be read: {error}", full.display().to_string()))?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(format!("the file {:?} is larger than 1 MiB", full.display().to_string()));
    }
    let mut text =
        String::from_utf8(bytes).map_err(|_| format!("the file {:?} is not UTF-8", full.display().to_string()))?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn resolve_with(text: &str, env: &dyn Fn(&str) -> Result<String, VarError>) -> Result<String, Vec<Unresolved>> {
        resolve(text, &Source { name: "t", text: "", dir: Path::new("."), env })
    }

    fn shout(name: &str) -> Result<String, VarError> {
        if name == "UNSET" { Err(VarError::NotPresent) } else { Ok(format!("<{name}>")) }
    }

    #[test]
    fn references_are_replaced_wherever_they_stand() {
        assert_eq!(resolve_with("a${env:B}c${env:D}", &shout).unwrap(), "a<B>c<D>");
        assert_eq!(resolve_with("cost: $5 and $", &shout).unwrap(), "cost: $5 and $");
    }

    #[test]
    fn a_doubled_dollar_before_a_brace_escapes_it() {
        assert_eq!(resolve_with("$${env:B}", &shout).unwrap(), "${env:B}");
        assert_eq!(resolve_with("$$${env:B}", &shout).unwrap(), "$${env:B}");
        assert_eq!(resolve_with("$$", &shout).unwrap(), "$$");
    }

    #[test]
    fn what_was_inserted_is_not_looked_at_again() {
        assert_eq!(resolve_with("${env:A}", &|_| Ok("${env:B}$${".into())).unwrap(), "${env:B}$${");
    }

    #[test]
    fn every_reference_that_fails_is_reported() {
        let unresolved = resolve_with("${env:UNSET}-${nev:X}-${env:", &shout).unwrap_err();
        let references: Vec<_> = unresolved.iter().map(|one| one.reference.as_str()).collect();
        assert_eq!(references, ["${env:UNSET}", "${nev:X}", "${env:"]);
    }

    #[test]
    fn a_reference_to_nothing_says_what_is_missing() {
        for (reference, missing) in [("${env:}", "the name of the variable"), ("${file:}", "the path of the file")] {
            let unresolved = resolve_with(reference, &shout).unwrap_err();
            assert!(unresolved[0].sentence.starts_with(&format!("{missing} is missing")), "{unresolved:?}");
        }
    }

    #[test]
    fn a_malformed_reference_is_not_quoted_since_it_may_be_part_of_a_password() {
        for password in ["pa${ss}word", "pa${ssword"] {
            let unresolved = resolve_with(password, &shout).unwrap_err();
            assert!(unresolved.iter().all(|one| !one.sentence.contains("ss")), "{unresolved:?}");
        }
    }

    #[test]
    fn a_file_loses_exactly_one_newline() {
        let dir = tempfile::tempdir().unwrap();
        for (content, expected) in
            [("s", "s"), ("s\n", "s"), ("s\r\n", "s"), ("s\n\n", "s\n"), ("s\r", "s\r"), ("", "")]
        {
            std::fs::write(dir.path().join("secret"), content).unwrap();
            let source = Source { name: "t", text: "", dir: dir.path(), env: &shout };
            assert_eq!(resolve("${file:secret}", &source).unwrap(), expected, "{content:?}");
        }
    }

    #[test]
    fn a_file_that_is_missing_too_large_or_binary_is_reported() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("large"), vec![b'x'; 1024 * 1024 + 1]).unwrap();
        std::fs::write(dir.path().join("binary"), [0xff]).unwrap();
        let source = Source { name: "t", text: "", dir: dir.path(), env: &shout };
        for (reference, what) in [("none", "cannot be read"), ("large", "1 MiB"), ("binary", "UTF-8"), (".", "read")] {
            let unresolved = resolve(&format!("${{file:{reference}}}"), &source).unwrap_err();
            assert!(unresolved.iter().all(|one| one.sentence.contains(what)), "{unresolved:?}");
        }
    }

    #[test]
    fn only_whole_references_may_be_shown_in_place_of_a_secret() {
        assert!(is_only_references("${env:A}${file:b}"));
        for text in ["", "x", "${env:A}x", "${nev:A}", "${env:A"] {
            assert!(!is_only_references(text), "{text}");
        }
    }
}
