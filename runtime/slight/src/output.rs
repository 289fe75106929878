//! What the command itself prints. A reader that has seen enough, such as `head`, is no failure.

use std::io::{self, ErrorKind, Write};

use anyhow::{Context, Result};

use crate::{args::LogFormat, error::chain, logs};

/// Writes to standard output.
///
/// # Errors
/// Any but that nobody reads.
pub fn print(text: &str) -> Result<()> {
    write(&mut io::stdout(), text)
}

fn write(out: &mut impl Write, text: &str) -> Result<()> {
    done(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// What became of something written to standard output.
///
/// # Errors
/// Any but that nobody reads.
pub fn done(written: io::Result<()>) -> Result<()> {
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to the standard output")
        }
        _ => Ok(()),
    }
}

/// Writes an error to standard error.
pub fn complain(format: LogFormat, error: &anyhow::Error) {
    match format {
        LogFormat::Text => logs::say(&format!("error: {}", chain(error))),
        LogFormat::Json => tracing::error!("{}", chain(error)),
    }
}

/// Writes to standard error what is no error, and probably not meant.
pub fn warn(format: LogFormat, warning: &str) {
    match format {
        LogFormat::Text => logs::say(&format!("warning: {warning}")),
        LogFormat::Json => tracing::warn!("{warning}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_printed_is_said() {
        // There is no room for anything in it.
        let error = write(&mut &mut [][..], "text").unwrap_err();
        assert_eq!(chain(&error), "cannot write to the standard output: failed to write whole buffer");
    }
}
