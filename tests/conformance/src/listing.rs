use std::collections::BTreeSet;

use slight_capabilities::{Cursor, ErrorKind, MAX_PAGE, Page, Result};

use crate::check::{Failure, Outcome, equal, refused, require};

/// More pages than any case has names: a listing that goes on for longer does not end.
const MOST_PAGES: usize = 10_000;

/// Follows a listing from `page` to its end, and gives all names in the order in which they came.
pub(crate) async fn all(page: impl AsyncFn(Option<Cursor>) -> Result<Page<String>>) -> Outcome<Vec<String>> {
    let first = page(None).await?;
    rest(first, page).await
}

/// The names of a page and of all that follow it.
pub(crate) async fn rest(
    first: Page<String>,
    page: impl AsyncFn(Option<Cursor>) -> Result<Page<String>>,
) -> Outcome<Vec<String>> {
    is_not_too_large(&first)?;
    let (mut names, mut next) = (first.items, first.next);
    for _ in 0..MOST_PAGES {
        let Some(cursor) = next else { return Ok(names) };
        let found = page(Some(cursor)).await?;
        is_not_too_large(&found)?;
        names.extend(found.items);
        next = found.next;
    }
    Err(Failure::new(format!("expected the listing to end, found {MOST_PAGES} pages and no end")))
}

/// Requires no more names on a page than the runtime makes room for.
pub(crate) fn is_not_too_large(page: &Page<String>) -> Outcome {
    let size = page.items.len();
    require(size <= MAX_PAGE, format_args!("expected at most {MAX_PAGE} names on a page, found {size}"))
}

/// Requires that a listing has exactly these names, each once.
#[track_caller]
pub(crate) fn lists(what: &str, mut found: Vec<String>, expected: impl IntoIterator<Item = String>) -> Outcome {
    let mut expected: Vec<_> = expected.into_iter().collect();
    expected.sort_unstable();
    found.sort_unstable();
    if found == expected {
        return Ok(());
    }
    let (all, listed): (BTreeSet<_>, BTreeSet<_>) = (expected.iter().collect(), found.iter().collect());
    Err(Failure::new(format!(
        "{what}: expected {} names, each once, found {} of which {} are different; missing {:?}, unexpected {:?}",
        expected.len(),
        found.len(),
        listed.len(),
        all.difference(&listed).take(5).collect::<Vec<_>>(),
        listed.difference(&all).take(5).collect::<Vec<_>>(),
    )))
}

/// Requires one page, without names and without a cursor.
#[track_caller]
pub(crate) fn one_empty_page(page: Page<String>) -> Outcome {
    equal("the names listed", page.items, Vec::new())?;
    require(page.next.is_none(), "expected no cursor on the only page, found one")
}

/// Requires that every page but the last has names.
pub(crate) async fn no_empty_pages(page: impl AsyncFn(Option<Cursor>) -> Result<Page<String>>) -> Outcome {
    let mut next = None;
    for number in 1..=MOST_PAGES {
        let found = page(next).await?;
        next = found.next;
        if next.is_none() {
            return Ok(());
        }
        require(!found.items.is_empty(), format_args!("expected names on page {number} of more, found none"))?;
    }
    Err(Failure::new(format!("expected the listing to end, found {MOST_PAGES} pages and no end")))
}

/// Requires `Invalid` for cursors that no listing gave, and for `foreign`, which another listing gave.
pub(crate) async fn refuses_cursors(
    foreign: Option<Cursor>,
    page: impl AsyncFn(Option<Cursor>) -> Result<Page<String>>,
) -> Outcome {
    let made_up = ["", "0", "1", "x", "AAAAAA", "bm90IGEgY3Vyc29y", "../..", "%", "🦀", "\0"];
    let made_up = made_up.iter().map(|text| Cursor::from((*text).to_owned()));
    for cursor in made_up.chain(foreign) {
        refused(format_args!("listing from {cursor:?}"), page(Some(cursor.clone())).await, ErrorKind::Invalid)?;
    }
    Ok(())
}
