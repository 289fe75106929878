//! The table of the disruptions in the page of a provider.

use std::{fs, path::Path, time::Duration};

use slight_capabilities::Capability;

use super::{Loss, Tried, observed::Observed};
use crate::check::{Failure, Outcome};

/// What is told as "at once".
const AT_ONCE: Duration = Duration::from_millis(250);

/// Requires that the page has the rows; or writes them there, with what was observed.
pub(super) fn check(page: &Path, capability: Capability, rows: &[Tried]) -> Outcome {
    let shown = page.display();
    let text = fs::read_to_string(page).map_err(|error| Failure::new(format!("{shown} cannot be read: {error}")))?;
    let (begin, end) =
        (format!("<!-- disruptions of {capability} -->\n"), format!("<!-- end of disruptions of {capability} -->\n"));
    let parts = text.split_once(&begin).and_then(|(before, rest)| {
        let (table, after) = rest.split_once(&end)?;
        Some((before, table, after))
    });
    let Some((before, table, after)) = parts else {
        return Err(Failure::new(format!("expected {} and {} in {shown}, found none", begin.trim(), end.trim())));
    };
    if std::env::var_os("SLIGHT_WRITE_DOCS").is_some() {
        let written = format!("{before}{begin}{}{end}{after}", render(rows));
        return fs::write(page, written).map_err(|error| Failure::new(format!("{shown} cannot be written: {error}")));
    }
    let (said, tried) = (said(table), rows.iter().map(|row| fixed(row).join(" | ")).collect::<Vec<_>>());
    let missing: Vec<_> = tried.iter().filter(|row| !said.contains(row)).collect();
    let untried: Vec<_> = said.iter().filter(|row| !tried.contains(row)).collect();
    match missing.is_empty() && untried.is_empty() {
        true => Ok(()),
        false => Err(Failure::new(format!(
            "the table of {capability} in {shown} is not that of the test: it lacks {missing:?} and has {untried:?}; \
             write it with SLIGHT_WRITE_DOCS=1"
        ))),
    }
}

/// The columns that do not depend on the run.
fn fixed(row: &Tried) -> [String; 3] {
    let loss = match row.loss {
        Loss::Nothing => "nothing",
        Loss::WhatItHeld => "what it held",
    };
    [row.object.to_owned(), row.action.to_owned(), loss.to_owned()]
}

fn render(rows: &[Tried]) -> String {
    let mut table = String::from(
        "| object | what happens to it | may be lost | lost | callers see | whole again |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    for row in rows {
        let Tried { at_rest, under_load, .. } = row;
        let lost = |observed: &Observed| format!("{} of {}", observed.lost.0, observed.lost.1);
        let errors: Vec<_> = at_rest.errors.union(&under_load.errors).copied().collect();
        let errors = if errors.is_empty() { "nothing".to_owned() } else { errors.join(", ") };
        let whole = time(at_rest.whole_after.max(under_load.whole_after));
        let after = if row.mended_by_hand { " after it was undone" } else { "" };
        let lost = format!("{}; {}", lost(at_rest), lost(under_load));
        table += &format!("| {} | {lost} | {errors} | {whole}{after} |\n", fixed(row).join(" | "));
    }
    table
}

fn time(time: Duration) -> String {
    if time < AT_ONCE { "at once".to_owned() } else { format!("within {} s", time.as_secs() + 1) }
}

/// The fixed columns of the rows of a table, as the page has them.
fn said(table: &str) -> Vec<String> {
    let rows = table.lines().skip(2);
    rows.map(|row| row.trim_matches('|').split('|').take(3).map(str::trim).collect::<Vec<_>>().join(" | ")).collect()
}
