use std::{
    fs::{File, TryLockError},
    io, process,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime},
};

use crate::dir::{Dir, Kind};

/// Begins the names of all that is temporary. No encoded name does.
pub(crate) const TEMPORARY: &str = ".slight-tmp-";

/// What is younger may belong to a process that has made it and not locked it yet.
const YOUNG: Duration = Duration::from_secs(60);

/// How deep a tree is removed at a time: each level is an open file.
const DEEPEST: usize = 64;

/// A file that is being written, locked by its writer as long as it lives. Dropped, it is removed.
pub(crate) struct Temporary {
    pub(crate) file: File,
    directory: Dir,
    /// None when it has been put in its place.
    name: Option<String>,
}

impl Temporary {
    pub(crate) fn create(directory: Dir) -> io::Result<Self> {
        let name = new_name();
        let file = directory.create(&name)?;
        let temporary = Self { file, directory, name: Some(name) };
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
    pub(crate) fn rename(&mut self, to: &Dir, name: &str) -> io::Result<()> {
        if let Some(from) = &self.name {
            self.directory.rename(from, to, name)?;
            self.name = None;
        }
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            // What stays is removed by a later start.
            _ = self.directory.remove(name);
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
pub(crate) fn sweep(directory: &Dir) -> io::Result<()> {
    for entry in directory.entries()? {
        let (name, kind) = entry?;
        let Some(name) = name.to_str().filter(|name| name.starts_with(TEMPORARY)) else { continue };
        let Ok(metadata) = directory.metadata(name) else { continue };
        let young = metadata.modified().is_ok_and(|at| at.elapsed().is_ok_and(|age| age < YOUNG));
        if young {
            continue;
        }
        // What fails stays for a later start.
        match kind {
            // Deleted containers, or new ones that were not finished.
            Kind::Directory => _ = remove_tree(directory, name),
            Kind::File if is_written(directory, name) => {}
            Kind::File | Kind::Other => _ = directory.remove(name),
        }
    }
    Ok(())
}

/// True while a process that lives writes it.
fn is_written(directory: &Dir, name: &str) -> bool {
    match directory.file(name) {
        Ok((file, _)) => matches!(file.try_lock(), Err(TryLockError::WouldBlock)),
        Err(_) => true,
    }
}

/// Removes a directory of the temporary ones with all that is in it. However deep it is, few of it are open at a time.
pub(crate) fn remove_tree(temporaries: &Dir, name: &str) -> io::Result<()> {
    let mut trees = vec![name.to_owned()];
    while let Some(tree) = trees.pop() {
        remove_within(temporaries, &temporaries.child(&tree)?, DEEPEST, &mut trees)?;
        temporaries.remove_directory(&tree)?;
    }
    Ok(())
}

fn remove_within(temporaries: &Dir, directory: &Dir, depth: usize, trees: &mut Vec<String>) -> io::Result<()> {
    for entry in directory.entries()? {
        let (name, kind) = entry?;
        if kind != Kind::Directory {
            ignore_missing(directory.remove(&name))?;
            continue;
        }
        match depth.checked_sub(1) {
            Some(depth) => {
                remove_within(temporaries, &directory.child(&name)?, depth, trees)?;
                ignore_missing(directory.remove_directory(&name))?;
            }
            None => {
                let tree = new_name();
                directory.rename(&name, temporaries, &tree)?;
                trees.push(tree);
            }
        }
    }
    Ok(())
}

/// Another process may be removing the same.
fn ignore_missing(removed: io::Result<()>) -> io::Result<()> {
    removed.or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
}
