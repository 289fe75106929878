use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use tempfile::TempDir;

/// What is older was left by a process that has ended.
const OLD: Duration = Duration::from_secs(3600);

/// A new directory within `parent` that stays when the process ends: for what lives in a static. A later call removes it.
///
/// # Errors
/// Where it cannot be made.
pub fn scratch(parent: &str) -> std::io::Result<PathBuf> {
    for entry in fs::read_dir(parent)?.flatten() {
        let old = entry
            .metadata()
            .and_then(|metadata| metadata.modified())
            .is_ok_and(|at| at.elapsed().is_ok_and(|age| age > OLD));
        if old && entry.file_name().to_string_lossy().starts_with("scratch-") {
            // Another process may be removing the same.
            _ = fs::remove_dir_all(entry.path());
        }
    }
    Ok(temporary(Path::new(parent))?.keep())
}

pub(crate) fn temporary(parent: &Path) -> std::io::Result<TempDir> {
    tempfile::Builder::new().prefix("scratch-").tempdir_in(parent)
}
