mod queue;

use std::{
    io::{self, IsTerminal, Write, stderr},
    panic,
    sync::OnceLock,
    time::Duration,
};

use tracing_subscriber::{
    EnvFilter,
    filter::{Directive, LevelFilter},
    fmt,
};

use self::queue::Queue;
use crate::args::LogFormat;

/// Names what is logged, in the syntax of `tracing_subscriber::EnvFilter`.
const VARIABLE: &str = "SLIGHT_LOG";
/// What is logged unless the variable says otherwise: what concerns an operator, and what guests log. What these clients
/// log of a connection or of credentials is in our own errors, once and in words.
const DEFAULT: &str = "warn,slight=info,slight_runtime=info,guest=info,async_nats=off,aws_config=error,h2=error";

/// What shows whatever the variable says: what is wrong with the variable, and why the command failed.
const ALWAYS: &str = "slight::logs=warn,slight::output=warn";

/// How long the log may take at the very end.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What leads to stderr.
static QUEUE: OnceLock<Queue> = OnceLock::new();

/// Starts the log on stderr. Nobody waits for it, whatever becomes of its reader.
///
/// # Errors
/// When there is no thread for it.
pub fn start(format: LogFormat) -> io::Result<()> {
    let lost = |lost| tracing::warn!("{lost} entries of the log are lost: they came faster than they were read");
    // Nobody else sets it.
    let _ = QUEUE.set(Queue::start(stderr(), lost)?);
    let said = std::env::var(VARIABLE).unwrap_or_default();
    let (directives, mistakes) = understood(&said);
    let directives = if directives.is_empty() { DEFAULT.to_owned() } else { directives };
    let log = fmt().with_env_filter(EnvFilter::new(format!("{directives},{ALWAYS}")));
    match format {
        LogFormat::Text => log.with_writer(|| Plain(Queued)).with_ansi(colours()).init(),
        LogFormat::Json => log.with_writer(|| Queued).json().flatten_event(true).init(),
    }
    panic::set_hook(Box::new(|info| {
        let said = info.payload_as_str().unwrap_or("something that is no text");
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!("a part of slight panicked at {place}: {said}");
    }));
    for mistake in mistakes {
        tracing::warn!(
            "{mistake:?} in {VARIABLE} is not understood and left out: a part is a level (error, warn, info, debug, \
             trace, off) or target=level, such as warn,guest=trace"
        );
    }
    Ok(())
}

/// Writes a line to stderr, below what was logged before.
pub fn say(line: &str) {
    // In one write.
    let _ = Queued.write(format!("{line}\n").as_bytes());
}

/// Waits until all of it is written, but not for long.
pub fn flush() {
    if let Some(queue) = QUEUE.get() {
        queue.flush(LAST_WORDS);
    }
}

/// Each entry comes in one write.
struct Queued;

impl Write for Queued {
    fn write(&mut self, entry: &[u8]) -> io::Result<usize> {
        match QUEUE.get() {
            Some(queue) => queue.add(entry),
            // There was no thread for it, which is what is to be said.
            None => _ = stderr().write_all(entry),
        }
        Ok(entry.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The parts of the variable that mean something, and the others. A word alone would be taken for a target, and all else
/// be left out of the log: it is a mistyped level.
fn understood(said: &str) -> (String, Vec<&str>) {
    let parts = said.split(',').map(str::trim).filter(|part| !part.is_empty());
    let (good, bad): (Vec<&str>, Vec<&str>) = parts.partition(|part| {
        let is_level = part.parse::<LevelFilter>().is_ok();
        is_level || (part.contains(['=', '[']) && part.parse::<Directive>().is_ok())
    });
    (good.join(","), bad)
}

/// On a terminal, unless NO_COLOR is set to anything.
fn colours() -> bool {
    stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Indents every line of an entry but the first, and escapes what moves the cursor of a terminal: a guest must not be
/// able to write what looks like an entry of the host's. Each entry comes in one write.
///
/// Escape sequences are left alone: those of guests the log has escaped by now, and the colours are its own.
struct Plain<W>(W);

impl<W: Write> Write for Plain<W> {
    fn write(&mut self, entry: &[u8]) -> io::Result<usize> {
        let text = entry.strip_suffix(b"\n").unwrap_or(entry);
        let mut plain = Vec::with_capacity(entry.len());
        for byte in text {
            match byte {
                b'\n' => plain.extend_from_slice(b"\n    "),
                b'\t' | b'\x1b' => plain.push(*byte),
                byte if byte.is_ascii_control() => plain.extend(byte.escape_ascii()),
                byte => plain.push(*byte),
            }
        }
        plain.extend_from_slice(entry.get(text.len()..).unwrap_or_default());
        self.0.write_all(&plain)?;
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
    fn every_part_that_means_nothing_is_found() {
        let found = |said| understood(said).1;
        for good in ["", "debug", "WARN, guest=trace", "off,slight=info", "slight_runtime[request]=debug"] {
            assert_eq!(found(good), [""; 0], "{good}");
        }
        assert_eq!(found("debgu,slight=info,guest=loud"), ["debgu", "guest=loud"]);
        assert_eq!(understood("debgu,slight=info,guest=loud").0, "slight=info");
    }

    #[test]
    fn only_the_first_line_of_an_entry_begins_at_the_margin() {
        let mut out = Plain(Vec::new());
        out.write_all(b"one\ntwo\nthree\n").unwrap();
        out.write_all(b"four\n").unwrap();
        assert_eq!(out.0, b"one\n    two\n    three\nfour\n");
    }

    #[test]
    fn control_characters_are_escaped_but_for_colours_and_tabs() {
        let mut out = Plain(Vec::new());
        out.write_all("\x1b[31mä\tone\r\0two\x7f\r\n".as_bytes()).unwrap();
        assert_eq!(String::from_utf8(out.0).unwrap(), "\x1b[31mä\tone\\r\\x00two\\x7f\\r\n");
    }
}
