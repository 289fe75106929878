use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use slight_capabilities::{Error, Result};

use crate::{
    directory::Place,
    errors::{is_missing, said},
    files::sync_directory,
    naming::Naming,
    temporary::Temporary,
};

/// How often directories are made anew that another task removes because they are empty.
const ATTEMPTS: usize = 100;

/// Makes a finished file the object of this name, durably.
pub(crate) fn place(at: &Place, object: &str, mut temporary: Temporary) -> Result<()> {
    let failed = |error| said("storing the object", error);
    temporary.finish().map_err(failed)?;
    let path = at.naming.path(&at.path, object)?;
    let file = at.file(object)?;
    put(at, &path, || temporary.rename(&file)).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => at.failed("opening", error),
        io::ErrorKind::IsADirectory | io::ErrorKind::NotADirectory => Error::invalid(format!(
            "{object:?} cannot be a file: there is a directory of this name, or a file on its path"
        ))
        .with_source(error),
        _ => failed(error),
    })?;
    sync_up(&at.path, &file).map_err(failed)
}

/// Makes the directories of a path and puts something there.
fn put(at: &Place, path: &[String], mut rename: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    let directories = path.get(..path.len().saturating_sub(1)).unwrap_or_default();
    put_below(&at.path, directories, &mut rename)
}

/// Puts something below `root`, in directories that are made if they are missing; `root` itself must be there.
pub(crate) fn put_below(
    root: &Path,
    directories: &[String],
    rename: &mut dyn FnMut() -> io::Result<()>,
) -> io::Result<()> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        match make_directories(root, directories).and_then(|()| rename()) {
            // A directory was empty for a moment, and another task has removed it.
            Err(error) if error.kind() == io::ErrorKind::NotFound && attempt < ATTEMPTS && root.exists() => {}
            done => return done,
        }
    }
}

fn make_directories(root: &Path, directories: &[String]) -> io::Result<()> {
    let mut at = root.to_owned();
    for directory in directories {
        at.push(directory);
        match fs::create_dir(&at) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => made?,
        }
    }
    Ok(())
}

/// Makes the way to a file durable: the directories up to `root`, any of which may be new.
pub(crate) fn sync_up(root: &Path, file: &Path) -> io::Result<()> {
    for directory in file.ancestors().skip(1) {
        match sync_directory(directory) {
            // What was put there has been removed by another task.
            Err(error) if is_missing(&error) => {}
            synced => synced?,
        }
        if directory == root {
            break;
        }
    }
    Ok(())
}

/// Removes the objects that are there, durably, and the directories that they leave empty.
pub(crate) fn remove(at: &Place, objects: &[String]) -> Result<()> {
    let failed = |error| said("removing an object", error);
    let mut changed = BTreeSet::new();
    for object in objects {
        let file = match at.file(object) {
            // There is no such file, then.
            Err(error) if error.kind() == slight_capabilities::ErrorKind::Invalid => continue,
            file => file?,
        };
        match fs::remove_file(&file) {
            Ok(()) => {}
            Err(error) if is_missing(&error) || file.is_dir() => continue,
            Err(error) => return Err(failed(error)),
        }
        changed.extend(match at.naming {
            Naming::Encoded => prune(&at.path, &file),
            // Its directories are another program's.
            Naming::Literal => file.parent().map(Path::to_owned),
        });
    }
    for directory in changed {
        match sync_directory(&directory) {
            Err(error) if is_missing(&error) => {}
            synced => synced.map_err(failed)?,
        }
    }
    Ok(())
}

/// Removes the directories above `file`, up to `root`, that are empty; gives the first that stays.
pub(crate) fn prune(root: &Path, file: &Path) -> Option<PathBuf> {
    file.ancestors()
        .skip(1)
        .find(|directory| *directory == root || fs::remove_dir(directory).is_err())
        .map(Path::to_owned)
}
