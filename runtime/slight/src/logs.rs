use std::io::{self, IsTerminal, Write, stderr};

use tracing_subscriber::{EnvFilter, fmt};

use crate::args::LogFormat;

/// Names what is logged, in the syntax of `tracing_subscriber::EnvFilter`.
const VARIABLE: &str = "SLIGHT_LOG";
/// What is logged unless the variable says otherwise: what concerns an operator, and what guests log.
const DEFAULT: &str = "warn,slight=info,slight_runtime=info,guest=info";

/// Starts the log on stderr.
pub fn start(format: LogFormat) {
    let said = std::env::var(VARIABLE).unwrap_or_default();
    let (filter, mistake) = match EnvFilter::try_new(if said.is_empty() { DEFAULT } else { &said }) {
        Ok(filter) => (filter, None),
        Err(error) => (EnvFilter::new(DEFAULT), Some(error)),
    };
    let log = fmt().with_env_filter(filter);
    match format {
        LogFormat::Text => log.with_writer(|| Indented(stderr())).with_ansi(colours()).init(),
        LogFormat::Json => log.with_writer(stderr).json().flatten_event(true).init(),
    }
    if let Some(error) = mistake {
        tracing::warn!("{VARIABLE} is not understood ({error}); logging as if it were not set");
    }
}

/// On a terminal, unless NO_COLOR is set to anything.
fn colours() -> bool {
    stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Indents every line of an entry but the first: a guest that logs a line break must not be able to write what looks
/// like an entry of the host's. Each entry comes in one write.
struct Indented<W>(W);

impl<W: Write> Write for Indented<W> {
    fn write(&mut self, entry: &[u8]) -> io::Result<usize> {
        const INDENT: &[u8] = b"\n    ";
        let (text, end) = match entry.split_last() {
            Some((b'\n', text)) => (text, &b"\n"[..]),
            _ => (entry, &b""[..]),
        };
        let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
        self.0.write_all(&[&lines.join(INDENT), end].concat())?;
        Ok(entry.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_line_of_an_entry_begins_at_the_margin() {
        let mut out = Indented(Vec::new());
        out.write_all(b"one\ntwo\nthree\n").unwrap();
        out.write_all(b"four\n").unwrap();
        assert_eq!(out.0, b"one\n    two\n    three\nfour\n");
    }
}
