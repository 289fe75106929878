use std::{
    fs, io,
    path::{Component, Path, PathBuf},
    sync::OnceLock,
};

use slight_capabilities::{Error, QualifiedName, Readiness, Result};

use crate::{
    dir::Dir,
    errors::{is_missing, said},
    names::path_of,
    settings::Settings,
    temporary::sweep,
};

/// Within the location: what is being written, and what is being deleted.
const TEMPORARIES: &str = ".slight-tmp";

/// The directories that the settings name.
pub(crate) struct Location {
    /// That of everything.
    base: PathBuf,
    /// That of the containers, to be shown.
    root: PathBuf,
    /// From the base to that of the containers.
    within: Vec<String>,
    create: bool,
    /// The base as it was first found, without links. The operator may have put some there before the start; those that
    /// come later are a guest's.
    resolved: OnceLock<PathBuf>,
    /// The file system of the containers when the start was over.
    device: OnceLock<u64>,
}

impl Location {
    pub(crate) fn new(settings: Settings) -> Result<Self> {
        let location = &settings.blob.location;
        if !is_plain(location) {
            return Err(Error::invalid(format!(
                "\"blob.location\" must be the name of a directory within \"path\", without \"..\", not {location:?}"
            )));
        }
        Ok(Self {
            root: settings.path.join(location),
            within: parts(location),
            base: settings.path,
            create: settings.blob.create,
            resolved: OnceLock::new(),
            device: OnceLock::new(),
        })
    }

    /// The directory of the containers. One that is gone since the start is made again, if it may be.
    pub(crate) fn root(&self) -> Result<Dir> {
        match self.open_root() {
            Ok(root) => self.check_device(&root).map(|()| root),
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.restored(),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Where temporary files are: in the file system of the containers.
    pub(crate) fn temporaries(&self) -> Result<Dir> {
        self.root()?.child_made(TEMPORARIES).map_err(|error| self.failed(error))
    }

    /// From the root to the directory of a container.
    pub(crate) fn container(name: &QualifiedName) -> Vec<String> {
        path_of(&name.encoded())
    }

    /// From the base to the directory of another program's files.
    pub(crate) fn existing(&self, name: &str) -> Result<Vec<String>> {
        if !is_plain(name) {
            return Err(Error::invalid(format!(
                "an existing location must be the name of a directory within the provider's \"path\", without \"..\", \
                 not {name:?}"
            )));
        }
        let path = parts(name);
        self.open_existing(&path).map(|_| path)
    }

    /// The directory of another program's files, at the end of what [`Location::existing`] gave.
    pub(crate) fn open_existing(&self, path: &[String]) -> Result<Dir> {
        self.open_base().and_then(|base| base.descend(path)).map_err(|error| match is_missing(&error) {
            false => said("opening the location", error),
            true => Error::not_found(format!(
                "there is no directory {:?} in the provider's \"path\"; make it, or name another one",
                path.join("/")
            )),
        })
    }

    /// Checks or makes the directory, and removes what dead processes left.
    pub(crate) fn prepare(&self) -> Result<()> {
        self.inspect()?;
        fs::create_dir_all(&self.base)
            .and_then(|()| sync_directories(&self.base))
            .map_err(|error| self.failed(error))?;
        let root = self.make()?;
        let temporaries = root.child(TEMPORARIES);
        temporaries.and_then(|temporaries| sweep(&temporaries)).map_err(|error| self.failed(error))?;
        self.device.get_or_init(|| root.device().unwrap_or_default());
        self.check_case(&root)
    }

    /// What [`Location::prepare`] would make for people to see.
    pub(crate) fn inspect(&self) -> Result<Readiness> {
        match self.open_root() {
            Ok(_) => Ok(Readiness::Ready),
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                Err(Error::invalid(format!("{} is no directory; name another \"path\"", self.shown())))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.create => {
                Ok(Readiness::ToBeCreated(format!("the directory {}", self.shown())))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(self.missing()),
            Err(error) => Err(self.failed(error)),
        }
    }

    pub(crate) fn ping(&self) -> Result<()> {
        self.root().map(drop)
    }

    fn open_base(&self) -> io::Result<Dir> {
        let resolved = match self.resolved.get() {
            Some(resolved) => resolved,
            None => {
                let found = fs::canonicalize(&self.base)?;
                self.resolved.get_or_init(|| found)
            }
        };
        Dir::absolute(resolved)
    }

    fn open_root(&self) -> io::Result<Dir> {
        self.open_base()?.descend(&self.within)
    }

    /// Makes the directories below the base.
    fn make(&self) -> Result<Dir> {
        let made = || {
            let mut way = self.open_base()?.make_way(&self.within)?;
            if let Some(root) = way.last() {
                root.child_made(TEMPORARIES)?;
            }
            way.iter().rev().try_for_each(Dir::sync)?;
            way.pop().ok_or_else(|| io::ErrorKind::NotFound.into())
        };
        made().map_err(|error| self.failed(error))
    }

    /// Makes anew what was there when the start was over.
    fn restored(&self) -> Result<Dir> {
        if !self.create || self.device.get().is_none() {
            return Err(self.missing());
        }
        let base = match self.open_base() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.base_made(),
            base => base,
        };
        self.check_device(&base.map_err(|error| self.failed(error))?)?;
        let root = self.make()?;
        tracing::warn!(
            "the directory {} was removed with all that was in it while it was in use; it was made anew",
            self.shown()
        );
        Ok(root)
    }

    fn base_made(&self) -> io::Result<Dir> {
        let resolved = self.resolved.get().ok_or(io::ErrorKind::NotFound)?;
        let mut at = Dir::absolute(Path::new("/"))?;
        for part in resolved.components() {
            if let Component::Normal(name) = part {
                at = at.child_made(name)?;
            }
        }
        Ok(at)
    }

    /// A file system that was unmounted leaves an empty directory, and what is written there is not seen again.
    fn check_device(&self, found: &Dir) -> Result<()> {
        let Some(expected) = self.device.get() else { return Ok(()) };
        let device = found.device().map_err(|error| self.failed(error))?;
        if device == *expected || found.is_directory(TEMPORARIES) {
            return Ok(());
        }
        Err(Error::unavailable(format!(
            "the file system of {} is not mounted any more; mount it, or start slight again to use what is there now",
            self.shown()
        )))
    }

    /// Names that differ in case are different names.
    fn check_case(&self, root: &Dir) -> Result<()> {
        match root.metadata(&TEMPORARIES.to_uppercase()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            _ => Err(Error::invalid(format!(
                "the file system of {} does not tell upper from lower case, so objects would overwrite others; choose a \
                 \"path\" on one that does",
                self.shown()
            ))),
        }
    }

    fn shown(&self) -> std::path::Display<'_> {
        self.root.display()
    }

    fn missing(&self) -> Error {
        Error::not_found(format!("there is no directory {}; make it, or set \"create\" to true", self.shown()))
    }

    fn failed(&self, error: io::Error) -> Error {
        said(&format!("opening the directory {}", self.shown()), error)
    }
}

/// The directory and all above it, as far as they may be opened: any of them may have been made just now.
fn sync_directories(directory: &Path) -> io::Result<()> {
    for directory in directory.ancestors() {
        let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
        match fs::File::open(directory).and_then(|directory| directory.sync_all()) {
            // Not ours, so not made just now.
            Err(error) if matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::InvalidInput) => {
                break;
            }
            synced => synced?,
        }
    }
    Ok(())
}

fn parts(path: &str) -> Vec<String> {
    path.split('/').map(str::to_owned).collect()
}

/// A relative path of ordinary names: no `..`, no root, no drive.
pub(crate) fn is_plain(path: &str) -> bool {
    !path.is_empty() && !path.contains('\0') && path.split('/').all(is_plain_part)
}

fn is_plain_part(part: &str) -> bool {
    let mut components = Path::new(part).components();
    matches!((components.next(), components.next()), (Some(Component::Normal(name)), None) if name == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_paths_are_taken() {
        for path in ["a", "a/b", "été 1/photo.jpg", "a..b", ".a", "..."] {
            assert!(is_plain(path), "{path:?}");
        }
        for path in ["", ".", "..", "/", "/a", "a/", "a//b", "a/../b", "a/./b", "../a", "a\0"] {
            assert!(!is_plain(path), "{path:?}");
        }
    }
}
