use std::{collections::BTreeSet, ops::Range};

use crate::{
    Source,
    document::{Node, Value},
    mistakes::{Excerpt, Mistake},
    references,
};

/// A longer line is not shown below a mistake: it would wrap, and the caret would point nowhere.
const LONGEST_EXCERPT: usize = 160;

/// What has been found in a file so far: mistakes, which of its values must not be shown, and which are paths.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    mistakes: Vec<(Range<usize>, String)>,
    /// Start and end of each.
    hidden: BTreeSet<(usize, usize)>,
    /// Start and end of each.
    paths: BTreeSet<(usize, usize)>,
}

impl Findings {
    /// Notes a mistake in a part of the text.
    pub fn mistake(&mut self, span: Range<usize>, sentence: impl Into<String>) {
        self.mistakes.push((span, sentence.into()));
    }

    /// Keeps a value, with all that it holds, out of every message. A string that is made of references alone stays
    /// visible: it names where the secret is.
    pub fn hide(&mut self, node: &Node) {
        match &node.value {
            Value::Text(text) if references::is_only_references(&text.source) => {}
            Value::List(items) => items.iter().for_each(|item| self.hide(item)),
            Value::Table(table) => table.entries.iter().for_each(|entry| self.hide(&entry.node)),
            _ => self.hide_span(&node.span),
        }
    }

    /// Keeps a part of the text out of every message.
    pub fn hide_span(&mut self, span: &Range<usize>) {
        self.hidden.insert((span.start, span.end));
    }

    /// True when a value must not be shown.
    pub fn is_hidden(&self, node: &Node) -> bool {
        self.hidden.contains(&(node.span.start, node.span.end))
    }

    /// Notes that a string is the path of a file or directory of the host.
    pub fn path(&mut self, node: &Node) {
        self.paths.insert((node.span.start, node.span.end));
    }

    /// True when a string is a path.
    pub fn is_path(&self, node: &Node) -> bool {
        self.paths.contains(&(node.span.start, node.span.end))
    }

    /// True when the file names any path.
    pub fn has_paths(&self) -> bool {
        !self.paths.is_empty()
    }

    /// How many mistakes there are.
    pub fn count(&self) -> usize {
        self.mistakes.len()
    }

    /// Findings to take over or to leave: without mistakes, and with the same values hidden.
    pub fn trial(&self) -> Self {
        Self { hidden: self.hidden.clone(), ..Self::default() }
    }

    /// Takes over what was found elsewhere.
    pub fn absorb(&mut self, other: Self) {
        self.mistakes.extend(other.mistakes);
        self.hidden.extend(other.hidden);
        self.paths.extend(other.paths);
    }

    /// Takes over only what must not be shown.
    pub fn absorb_hidden(&mut self, other: Self) {
        self.hidden.extend(other.hidden);
    }

    /// The mistakes in the order of the file, ready to be shown.
    pub fn into_mistakes(self, source: &Source<'_>) -> Vec<Mistake> {
        let Self { mut mistakes, hidden, .. } = self;
        mistakes.sort_by_key(|(span, _)| span.start);
        mistakes.dedup();
        let shown = mistakes.into_iter().map(|(span, sentence)| Mistake {
            file: source.name.to_owned(),
            position: Some(source.position(span.start)),
            excerpt: excerpt(source, &span, &hidden),
            sentence,
        });
        shown.collect()
    }
}

/// The line of `span`, up to the first hidden value in it.
fn excerpt(source: &Source<'_>, span: &Range<usize>, hidden: &BTreeSet<(usize, usize)>) -> Option<Excerpt> {
    let line = source.line(span.start);
    let first_hidden =
        hidden.iter().find(|(start, end)| *start < line.end && *end > line.start).map(|(start, _)| *start);
    let end = first_hidden.unwrap_or(line.end);
    if end < span.start {
        return None;
    }
    let text = source.text.get(line.start..end)?;
    if text.trim().is_empty() || text.chars().count() > LONGEST_EXCERPT {
        return None;
    }
    let marked = source.text.get(span.start..span.end.min(end)).unwrap_or_default();
    // A tab would move the caret, and other control characters the terminal.
    let mut line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if first_hidden.is_some() {
        line.push('…');
    }
    Some(Excerpt { line, width: marked.chars().count().max(1) })
}
