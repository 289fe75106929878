use std::io;

use slight_capabilities::{Error, ErrorKind, Result};

use crate::{dir::Dir, directory::Place, errors::said, naming::Naming, temporary::Temporary};

/// How often directories are made anew that another task removes because they are empty.
const ATTEMPTS: usize = 100;

/// Makes a finished file the object of this name, durably.
pub(crate) fn place(at: &Place, object: &str, mut temporary: Temporary) -> Result<()> {
    let failed = |error| said("storing the object", error);
    temporary.finish().map_err(failed)?;
    let path = at.naming.path(object)?;
    let way = put_below(&|| at.directory(), &path, &failed_to_put(object), &mut |directory, name| {
        temporary.rename(directory, name)
    })?;
    sync_way(&way).map_err(failed)
}

/// Why something cannot be put at a path.
fn failed_to_put(object: &str) -> impl Fn(io::Error) -> Error {
    move |error| match error.kind() {
        io::ErrorKind::IsADirectory | io::ErrorKind::NotADirectory => Error::invalid(format!(
            "{object:?} cannot be a file: there is a directory of this name, or a file on its path"
        ))
        .with_source(error),
        _ => said("storing the object", error),
    }
}

/// Puts something at a path below a directory, on a way that is made where it is missing; gives that way.
pub(crate) fn put_below(
    root: &dyn Fn() -> Result<Dir>,
    path: &[String],
    failed: &dyn Fn(io::Error) -> Error,
    put: &mut dyn FnMut(&Dir, &str) -> io::Result<()>,
) -> Result<Vec<Dir>> {
    let Some((name, directories)) = path.split_last() else { return Err(Error::invalid("the name is empty")) };
    let mut attempt = 0;
    loop {
        attempt += 1;
        let made = root()?.make_way(directories).and_then(|way| {
            way.last().map_or(Ok(()), |last| put(last, name))?;
            Ok(way)
        });
        match made {
            // A directory was empty for a moment, and another task has removed it.
            Err(error) if error.kind() == io::ErrorKind::NotFound && attempt < ATTEMPTS => {}
            made => return made.map_err(failed),
        }
    }
}

/// Makes the way to an entry durable: any of its directories may be new.
pub(crate) fn sync_way(way: &[Dir]) -> io::Result<()> {
    way.iter().rev().try_for_each(Dir::sync)
}

/// Removes the objects that are there, durably, and the directories that they leave empty.
pub(crate) fn remove(at: &Place, objects: &[String]) -> Result<()> {
    let failed = |error| said("removing an object", error);
    // Each directory once, however many objects it loses.
    let mut changed: Vec<(Vec<String>, Dir)> = Vec::new();
    for object in objects {
        let path = match at.naming.path(object) {
            // There is no such file, then.
            Err(error) if error.kind() == ErrorKind::Invalid => continue,
            path => path?,
        };
        let Some((name, directories)) = path.split_last() else { continue };
        let Some(mut way) = at.way(directories)? else { continue };
        let Some(last) = way.last() else { continue };
        match last.remove(name) {
            Ok(()) => {}
            Err(error) if crate::errors::is_missing(&error) || last.is_directory(name) => continue,
            Err(error) => return Err(failed(error)),
        }
        if at.naming == Naming::Encoded {
            // The directories of existing locations are another program's.
            prune(&mut way, directories);
        }
        let stays = directories.get(..way.len().saturating_sub(1)).unwrap_or_default();
        changed.retain(|(path, _)| path != stays);
        changed.extend(way.pop().map(|directory| (stays.to_vec(), directory)));
    }
    changed.iter().try_for_each(|(_, directory)| directory.sync()).map_err(failed)
}

/// Removes the directories of a way that are empty, from its end; the first that stays is its last then.
pub(crate) fn prune(way: &mut Vec<Dir>, directories: &[String]) {
    for name in directories.iter().rev() {
        let Some([.., above, _]) = way.get(..) else { break };
        if above.remove_directory(name).is_err() {
            break;
        }
        way.pop();
    }
}
