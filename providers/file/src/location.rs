use std::{
    fs, io,
    path::{Component, Path, PathBuf},
};

use slight_capabilities::{Error, QualifiedName, Readiness, Result};

use crate::{
    errors::{is_missing, said},
    files::sync_directory,
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
    /// That of the containers.
    root: PathBuf,
    create: bool,
}

impl Location {
    pub(crate) fn new(settings: Settings) -> Result<Self> {
        let location = &settings.blob.location;
        if !is_plain(location) {
            return Err(Error::invalid(format!(
                "\"blob.location\" must be the name of a directory within \"path\", without \"..\", not {location:?}"
            )));
        }
        let root = settings.path.join(location);
        Ok(Self { base: settings.path, root, create: settings.blob.create })
    }

    /// Where temporary files are: in the file system of the containers.
    pub(crate) fn temporaries(&self) -> PathBuf {
        self.root.join(TEMPORARIES)
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The directory of a container.
    pub(crate) fn container(&self, name: &QualifiedName) -> PathBuf {
        let mut path = self.root.clone();
        path.extend(path_of(&name.encoded()));
        path
    }

    /// The directory of another program's files, within `path`.
    pub(crate) fn existing(&self, name: &str) -> Result<PathBuf> {
        if !is_plain(name) {
            return Err(Error::invalid(format!(
                "an existing location must be the name of a directory within the provider's \"path\", without \"..\", \
                 not {name:?}"
            )));
        }
        let path = self.base.join(name);
        match fs::metadata(&path) {
            Ok(metadata) if metadata.is_dir() => Ok(path),
            Err(error) if !is_missing(&error) => Err(said("opening the location", error)),
            _ => Err(Error::not_found(format!(
                "there is no directory {name:?} in the provider's \"path\"; make it, or name another one"
            ))),
        }
    }

    /// Checks or makes the directory, and removes what dead processes left.
    pub(crate) fn prepare(&self) -> Result<()> {
        self.inspect()?;
        let temporaries = self.temporaries();
        let made = fs::create_dir_all(&temporaries).and_then(|()| sync_directories(&self.root));
        made.and_then(|()| sweep(&temporaries))
            .map_err(|error| said(&format!("opening the directory {}", self.root.display()), error))?;
        self.check_case()
    }

    /// What [`Location::prepare`] would make for people to see.
    pub(crate) fn inspect(&self) -> Result<Readiness> {
        let shown = self.root.display();
        match fs::metadata(&self.root) {
            Ok(metadata) if metadata.is_dir() => Ok(Readiness::Ready),
            Ok(_) => Err(Error::invalid(format!("{shown} is no directory; name another \"path\""))),
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.create => {
                Ok(Readiness::ToBeCreated(format!("the directory {shown}")))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(Error::not_found(format!("there is no directory {shown}; make it, or set \"create\" to true")))
            }
            Err(error) => Err(said(&format!("opening the directory {shown}"), error)),
        }
    }

    pub(crate) fn ping(&self) -> Result<()> {
        self.inspect().map(drop)
    }

    /// Names that differ in case are different names.
    fn check_case(&self) -> Result<()> {
        match fs::symlink_metadata(self.root.join(TEMPORARIES.to_uppercase())) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            _ => Err(Error::invalid(format!(
                "the file system of {} does not tell upper from lower case, so objects would overwrite others; choose a \
                 \"path\" on one that does",
                self.root.display()
            ))),
        }
    }
}

/// The directory and all above it, as far as they may be opened: any of them may have been made just now.
fn sync_directories(directory: &Path) -> io::Result<()> {
    for directory in directory.ancestors() {
        let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
        match sync_directory(directory) {
            // Not ours, so not made just now.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => break,
            synced => synced?,
        }
    }
    Ok(())
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
