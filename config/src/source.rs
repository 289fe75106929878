use std::{env::VarError, fmt, ops::Range, path::Path};

use crate::mistakes::Position;

/// A configuration file as text, and what surrounds it.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    /// What messages call the file.
    pub name: &'a str,
    /// The TOML.
    pub text: &'a str,
    /// The directory that relative paths in the file start from.
    pub dir: &'a Path,
    /// Looks up the variable of a `${env:NAME}`.
    pub env: &'a dyn Fn(&str) -> Result<String, VarError>,
}

impl Source<'_> {
    /// Where a byte of the text is.
    pub(crate) fn position(&self, offset: usize) -> Position {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Position {
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
        }
    }

    /// The line that holds a byte of the text, without its end.
    pub(crate) fn line(&self, offset: usize) -> Range<usize> {
        let offset = offset.min(self.text.len());
        let start = self.text.get(..offset).and_then(|before| before.rfind('\n')).map_or(0, |newline| newline + 1);
        let rest = self.text.get(offset..).unwrap_or_default();
        let end = rest.find(['\r', '\n']).map_or(self.text.len(), |length| offset + length);
        start..end
    }
}

impl fmt::Debug for Source<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("name", &self.name).finish_non_exhaustive()
    }
}
