use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime},
};

/// Begins the names of all that is temporary. No encoded name does.
pub(crate) const TEMPORARY: &str = ".slight-tmp-";

/// What is younger may belong to a process that has made it and not locked it yet.
const YOUNG: Duration = Duration::from_secs(60);

/// A file that is being written, locked by its writer as long as it lives. Dropped, it is removed.
pub(crate) struct Temporary {
    pub(crate) file: File,
    /// None when it has been put in its place.
    path: Option<PathBuf>,
}

impl Temporary {
    pub(crate) fn create(directory: &Path) -> io::Result<Self> {
        let path = directory.join(new_name());
        let file = OpenOptions::new().write(true).read(true).create_new(true).open(&path)?;
        let temporary = Self { file, path: Some(path) };
        match temporary.file.try_lock() {
            // Some file systems have no locks; then the age alone tells what was left behind.
            Ok(()) | Err(TryLockError::Error(_)) => Ok(temporary),
            Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    /// Makes the bytes durable, and says that they were written now.
    pub(crate) fn finish(&self) -> io::Result<()> {
        self.file.set_modified(SystemTime::now())?;
        self.file.sync_all()
    }

    /// Puts the file in its place, over whatever is there. Where that fails, it can be tried again.
    pub(crate) fn rename(&mut self, to: &Path) -> io::Result<()> {
        if let Some(from) = &self.path {
            fs::rename(from, to)?;
            self.path = None;
        }
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            // What stays is removed by a later start.
            _ = fs::remove_file(path);
        }
    }
}

/// A name that nobody has taken.
pub(crate) fn new_name() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
    format!("{TEMPORARY}{}-{now}-{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Removes what dead processes left in a directory. Another process may be doing the same.
pub(crate) fn sweep(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().starts_with(TEMPORARY) {
            continue;
        }
        let Ok(metadata) = entry.metadata() else { continue };
        let young = metadata.modified().is_ok_and(|at| at.elapsed().is_ok_and(|age| age < YOUNG));
        if young {
            continue;
        }
        // Directories are deleted containers, or new ones that were not finished.
        if metadata.is_dir() {
            _ = fs::remove_dir_all(entry.path());
        } else if File::open(entry.path()).is_ok_and(|file| !matches!(file.try_lock(), Err(TryLockError::WouldBlock))) {
            _ = fs::remove_file(entry.path());
        }
    }
    Ok(())
}
