//! `docs/providers/README.md` is what the providers say of themselves, and every provider has a page.

mod copies;
mod tables;

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use slight::{
    builtin,
    capabilities::{Capability, Guarantees, ProviderKind},
};

use crate::tables::{Table, blob, key_value, messaging};

const INTRODUCTION: &str = "\
# Providers

Every provider passes the whole conformance suite of each capability that it offers, so what a component may rely on
is the same everywhere. Here is what is left to choose by. The page of a provider has its settings, how names map to
its backend's names, its limits, and a table of what operators, other programs and failovers may do to what it keeps:
what may be lost, what callers see, and when it is whole again.

<!-- Made from the code of the providers (`guarantees.rs`) by
     SLIGHT_WRITE_DOCS=1 cargo test -p slight-e2e --test documentation -->
";

const SIZES: &str = "\
The limits of `slight` itself come first: unless `[limits]` says otherwise, a value has at most 8 MiB, a message 1 MiB,
and the body of a request 4 GiB.
";

const COSTS: &str = "\
In round trips to the backend. There are none where the data is in this process or on its disk; *synced* is a call that
waits until the disk has the data.
";

/// What the file should be.
fn expected(kinds: &[ProviderKind]) -> String {
    let mut parts = vec![INTRODUCTION.to_owned(), overview(kinds).to_string()];
    let mut section = |heading: &str, body: String| parts.push(format!("{heading}\n\n{body}"));
    section("## Data", data(kinds).to_string());
    section("## Sizes and order", SIZES.to_owned());
    section("### Key-value", key_value::sizes(kinds).to_string());
    section("### Blob storage", blob::sizes(kinds).to_string());
    section("### Messaging", messaging::sizes(kinds).to_string());
    section("## Costs", COSTS.to_owned());
    section("### Key-value", key_value::costs(kinds).to_string());
    section("### Blob storage", blob::costs(kinds).to_string());
    section("### Messaging", messaging::costs(kinds).to_string());
    parts.join("\n")
}

fn overview(kinds: &[ProviderKind]) -> Table {
    let mut table = Table::new(["provider", "what it is", "key-value", "blob", "messaging"]);
    for kind in kinds {
        let name =
            if page(kind).is_file() { format!("[`{0}`]({0}.md)", kind.name) } else { format!("`{}`", kind.name) };
        let offered = Capability::ALL.map(|capability| if kind.offers(capability) { "yes" } else { "–" });
        table.row(
            [name, kind.description.trim_end_matches('.').to_owned()].into_iter().chain(offered.map(str::to_owned)),
        );
    }
    table
}

fn data(kinds: &[ProviderKind]) -> Table {
    let mut table = Table::new(["provider", "consistency", "an acknowledged write survives", "used at a time by"]);
    for (name, Guarantees { consistency, durability, sharing, .. }) in tables::declared(kinds) {
        table.row([name, (*consistency).to_owned(), (*durability).to_owned(), (*sharing).to_owned()]);
    }
    table
}

fn pages() -> PathBuf {
    slight_e2e::root().join("docs/providers")
}

fn page(kind: &ProviderKind) -> PathBuf {
    pages().join(kind.name).with_extension("md")
}

#[test]
fn the_table_of_the_providers_is_what_their_code_says() {
    let (path, expected) = (pages().join("README.md"), expected(&builtin()));
    if env::var_os("SLIGHT_WRITE_DOCS").is_some() {
        fs::write(&path, &expected).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    let differs = written.lines().zip(expected.lines()).find(|(written, expected)| written != expected);
    assert!(
        written == expected,
        "docs/providers/README.md is not what the providers say; to write it: \
         SLIGHT_WRITE_DOCS=1 cargo test -p slight-e2e --test documentation\nthe first difference: {differs:#?}"
    );
}

#[test]
fn every_provider_says_what_it_guarantees() {
    for kind in builtin().iter() {
        let name = kind.name;
        let said =
            kind.guarantees.unwrap_or_else(|| panic!("{name} says nothing; use `with_guarantees` in its kind()"));
        let says = [said.key_value.is_some(), said.blob.is_some(), said.messaging.is_some()];
        assert_eq!(says, Capability::ALL.map(|capability| kind.offers(capability)), "{name}: what it offers");
    }
}

#[test]
fn every_provider_with_settings_has_a_page() {
    for kind in builtin().iter().filter(|kind| kind.name != "memory") {
        let page = page(kind);
        let shown = page.strip_prefix(slight_e2e::root()).unwrap_or(Path::new("a page"));
        assert!(page.is_file(), "there is no {}", shown.display());
    }
}
