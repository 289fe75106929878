//! What operators do to files.

use std::{fs, io, path::Path};

use super::Doing;

/// That this was done to files.
pub fn done(outcome: io::Result<()>) -> Doing<'static> {
    Box::pin(async { outcome.map_err(|error| error.to_string()) })
}

/// Removes a directory that others may be writing to.
///
/// # Errors
/// Those of the file system.
pub fn remove_directory(directory: &Path) -> io::Result<()> {
    loop {
        match fs::remove_dir_all(directory) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            removed => return removed,
        }
    }
}
