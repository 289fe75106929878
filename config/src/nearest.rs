/// The known name that is most likely meant by `wanted`, if any is near.
///
/// Near is one edit (a transposition is one), or one per three characters; `_` for `-` and capitals cost nothing.
pub(crate) fn nearest<'a>(wanted: &str, known: &[&'a str]) -> Option<&'a str> {
    let fold = |name: &str| name.to_lowercase().replace('_', "-");
    let wanted = fold(wanted);
    let allowed = (wanted.chars().count() / 3).max(1);
    let distances = known.iter().map(|name| (strsim::damerau_levenshtein(&wanted, &fold(name)), *name));
    distances.filter(|(distance, _)| *distance <= allowed).min().map(|(_, name)| name)
}

/// The end of a sentence about a name that is not known: the nearest, or else all that are.
pub(crate) fn hint(wanted: &str, noun: &str, known: &[&str]) -> String {
    match (nearest(wanted, known), known) {
        (Some(name), _) => format!("; did you mean {name:?}?"),
        (None, []) => format!("; there are no {noun}"),
        (None, known) => format!("; the {noun} are {}", quoted(known, "and")),
    }
}

/// `"a", "b" and "c"`, or with another last word.
pub(crate) fn quoted(names: &[&str], last: &str) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
    joined(&quoted, last)
}

/// `a, b and c`, or with another last word.
pub(crate) fn joined(words: &[String], last: &str) -> String {
    match words {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., end] => format!("{} {last} {end}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_one_or_few_edits_away() {
        assert_eq!(nearest("ulr", &["url", "user"]), Some("url"));
        assert_eq!(nearest("backend_timeout", &["backend-timeout", "timeout"]), Some("backend-timeout"));
        assert_eq!(nearest("colour", &["url", "user"]), None);
    }

    #[test]
    fn a_hint_lists_all_names_when_none_is_near() {
        assert_eq!(hint("x", "keys", &["listen", "port", "host"]), r#"; the keys are "listen", "port" and "host""#);
        assert_eq!(hint("x", "keys", &[]), "; there are no keys");
    }
}
