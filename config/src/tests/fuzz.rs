//! Whatever the text is, the outcome is a configuration or a list of mistakes in order, and no secret is shown.

use proptest::prelude::*;

use super::*;

/// Pieces that reach deep into the reader when they are put together at random.
const PIECES: &[&str] = &[
    "[",
    "]",
    "[[",
    "]]",
    "{",
    "}",
    "=",
    ".",
    ",",
    "\n",
    "\r\n",
    "\t",
    "\0",
    "\"",
    "'''",
    "#",
    "ä",
    "🦀",
    "\u{feff}",
    "0",
    "-1",
    "1e999",
    "2020-01-01",
    "true",
    "\"${env:SECRET}\"",
    "\"${env:UNSET}\"",
    "'${'",
    "'$${'",
    "'x'",
    "''",
    "http",
    "listen",
    "limits",
    "memory",
    "component",
    "env",
    "files",
    "providers",
    "redis",
    "url",
    "type",
    "blob",
    "key-value",
    "messaging",
    "subscriptions",
    "topics",
    "group",
    "groups",
    "default",
    "\"*\"",
    "[providers.redis]",
    "[[messaging.subscriptions]]",
];

fn outcome(text: &str) -> Result<(), TestCaseError> {
    match parse(text) {
        Ok(config) => {
            let shown = format!("{config:?}");
            prop_assert!(!shown.contains(INSERTED));
        }
        Err(mistakes) => {
            prop_assert!(mistakes.iter().count() > 0);
            prop_assert!(!mistakes.to_string().contains(INSERTED));
            let positions: Vec<_> = mistakes.iter().filter_map(|mistake| mistake.position).collect();
            prop_assert!(positions.is_sorted());
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_text_never_panics(text in "\\PC*") {
        outcome(&text)?;
    }

    #[test]
    fn pieces_of_toml_in_any_order_never_panic(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..60)) {
        outcome(&pieces.concat())?;
        outcome(&pieces.join(" "))?;
    }

    #[test]
    fn the_example_with_a_part_replaced_never_panics(
        from in 0..EXAMPLE.len(),
        length in 0..40_usize,
        piece in prop::sample::select(PIECES),
    ) {
        let end = (from + length).min(EXAMPLE.len());
        outcome(&format!("{}{piece}{}", &EXAMPLE[..from], &EXAMPLE[end..]))?;
    }
}
