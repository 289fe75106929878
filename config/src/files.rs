use std::{
    collections::BTreeSet,
    fs,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    document::{Node, Table},
    findings::Findings,
};

/// A directory of the host that the guest may open.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Directory {
    /// The path that the guest sees: an absolute one such as `/data`, `.` for where its relative paths start, or any
    /// other name that it looks for.
    pub guest: String,
    /// The directory on the host. A relative path starts at the directory of this file.
    #[schemars(extend("format" = "path"))]
    pub host: PathBuf,
    /// Whether the guest may only read.
    #[serde(default)]
    pub read_only: bool,
}

/// What the schema cannot say of `component.files`: the directories can be read, and no two have one guest path.
pub(crate) fn check(component: &Table, dir: &Path, findings: &mut Findings) {
    let mut seen = BTreeSet::new();
    for table in component.list("files").iter().filter_map(Node::table) {
        if let Some((node, guest)) = table.get("guest").and_then(|node| node.text().map(|text| (node, text))) {
            if guest.is_empty() || guest.split('/').any(|segment| segment == "..") || guest.contains('\0') {
                let sentence = format!(
                    "\"guest\" must be a path without \"..\" and NUL, such as \"/data\" or \".\", not {}",
                    node.shown()
                );
                findings.mistake(node.span.clone(), sentence);
            } else if !seen.insert(plain(guest)) {
                findings.mistake(node.span.clone(), format!("the guest path {} is given twice", node.shown()));
            }
        }
        if let Some((node, host)) = table.get("host").and_then(|node| node.text().map(|text| (node, text))) {
            check_host(node, &dir.join(host), findings);
        }
    }
}

/// One form for all ways to write a guest's path.
fn plain(guest: &str) -> (bool, Vec<&str>) {
    let segments = guest.split('/').filter(|segment| !matches!(*segment, "" | "."));
    (guest.starts_with('/'), segments.collect())
}

fn check_host(node: &Node, path: &Path, findings: &mut Findings) {
    let wrong = match enter(path) {
        Ok(()) => return,
        Err(error) if error.kind() == ErrorKind::NotADirectory => "is not a directory".to_owned(),
        Err(error) => format!("cannot be opened: {error}{}", advice(error.kind())),
    };
    findings.mistake(node.span.clone(), format!("the host path {} {wrong}", node.shown()));
}

/// Does what every instance will do, or else each would fail: opening the directory takes the right to read it, and
/// opening what is in it the right to search it.
fn enter(path: &Path) -> io::Result<()> {
    fs::read_dir(path)?;
    fs::metadata(path.join(".")).map(drop)
}

fn advice(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::NotFound => "; make the directory, or correct the path",
        ErrorKind::PermissionDenied => "; let the user that runs slight read and search the directory, or give another",
        _ => "",
    }
}
