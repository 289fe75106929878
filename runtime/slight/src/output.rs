//! What the command itself prints. A reader that has seen enough, such as `head`, is no failure.

use std::io::{self, ErrorKind, Write};

/// Writes to standard output.
///
/// # Errors
/// Any but that nobody reads.
pub fn print(text: &str) -> io::Result<()> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}

/// Writes an error to standard error. When that fails there is nobody left to tell.
pub fn complain(error: impl std::fmt::Display) {
    let _ = writeln!(io::stderr(), "error: {error}");
}
