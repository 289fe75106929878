//! Directories as open handles.
//!
//! Guests may have a writable mount over the same directories, and can put a link, a pipe or anything else in place of
//! what is there between any two calls of the system. So nothing is looked up by a path: every name is resolved from the
//! open directory that holds it, one part at a time, and a link is never followed. A handle stays with its directory
//! whatever happens to the name.

use std::{
    ffi::{OsStr, OsString},
    fs::{File, Metadata},
    io,
    os::unix::{ffi::OsStringExt, fs::MetadataExt},
    path::{Component, Path},
};

use rustix::{
    fd::OwnedFd,
    fs::{AtFlags, FileType, Mode, OFlags, mkdirat, open, openat, renameat, statat, unlinkat},
    io::Errno,
};

/// Opens what is only looked at or passed through, which asks for no right to read it.
#[cfg(target_os = "linux")]
const LOOK: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
#[cfg(not(target_os = "linux"))]
const LOOK: OFlags = OFlags::NONBLOCK.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Never waits: opening a pipe for reading would wait for its writer.
const READ: OFlags = OFlags::NONBLOCK.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// What an entry of a directory is, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Directory,
    /// A link, a pipe, a socket, a device.
    Other,
}

/// An open directory.
pub(crate) struct Dir(OwnedFd);

impl Dir {
    /// The directory of an absolute path.
    pub(crate) fn absolute(path: &Path) -> io::Result<Self> {
        let parts = path.components().filter_map(|part| match part {
            Component::Normal(name) => Some(name),
            _ => None,
        });
        let root = Self(open("/", LOOK | OFlags::DIRECTORY, Mode::empty())?);
        parts.into_iter().try_fold(root, |dir, name| dir.child(name))
    }

    /// A directory in this one.
    pub(crate) fn child(&self, name: impl AsRef<OsStr>) -> io::Result<Self> {
        let name = plain(name.as_ref())?;
        match openat(&self.0, name, LOOK | OFlags::DIRECTORY, Mode::empty()) {
            Ok(found) => Ok(Self(found)),
            // The system says of a link that it is no directory.
            Err(Errno::NOTDIR) if self.is_link(name) => Err(Errno::LOOP.into()),
            Err(error) => Err(error.into()),
        }
    }

    /// The directory at the end of `parts`.
    pub(crate) fn descend(self, parts: &[String]) -> io::Result<Self> {
        parts.iter().try_fold(self, |dir, part| dir.child(part))
    }

    /// All directories on the way along `parts`, this one first, made where they are missing.
    pub(crate) fn make_way(self, parts: &[String]) -> io::Result<Vec<Self>> {
        let mut way = vec![self];
        for part in parts {
            let next = match way.last() {
                Some(last) => last.child_made(part)?,
                None => break,
            };
            way.push(next);
        }
        Ok(way)
    }

    /// A directory in this one, made if it is missing.
    pub(crate) fn child_made(&self, name: impl AsRef<OsStr>) -> io::Result<Self> {
        let name = name.as_ref();
        match self.child(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            found => return found,
        }
        match self.make_directory(name) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => made?,
        }
        self.child(name)
    }

    /// Opens an ordinary file to read it; `NotFound` for anything else. It never waits.
    pub(crate) fn file(&self, name: &str) -> io::Result<(File, Metadata)> {
        let missing = || io::Error::from(io::ErrorKind::NotFound);
        // First without opening it: to open a device may do something.
        if !self.metadata(name)?.is_file() {
            return Err(missing());
        }
        let file = match openat(&self.0, plain(name.as_ref())?, READ, Mode::empty()) {
            Err(Errno::LOOP | Errno::NXIO) => return Err(missing()),
            file => File::from(file?),
        };
        let metadata = file.metadata()?;
        // It may be another by now.
        if metadata.is_file() { Ok((file, metadata)) } else { Err(missing()) }
    }

    /// Makes a file that is not there.
    pub(crate) fn create(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | READ;
        Ok(openat(&self.0, plain(name.as_ref())?, flags, Mode::from_raw_mode(0o666))?.into())
    }

    /// What is known of an entry, and of a link itself.
    pub(crate) fn metadata(&self, name: &str) -> io::Result<Metadata> {
        File::from(openat(&self.0, plain(name.as_ref())?, LOOK, Mode::empty())?).metadata()
    }

    pub(crate) fn own_metadata(&self) -> io::Result<Metadata> {
        File::from(self.0.try_clone()?).metadata()
    }

    /// The number of its file system.
    pub(crate) fn device(&self) -> io::Result<u64> {
        Ok(self.own_metadata()?.dev())
    }

    pub(crate) fn make_directory(&self, name: impl AsRef<OsStr>) -> io::Result<()> {
        Ok(mkdirat(&self.0, plain(name.as_ref())?, Mode::from_raw_mode(0o777))?)
    }

    /// Moves an entry, over what is there.
    pub(crate) fn rename(&self, name: impl AsRef<OsStr>, to: &Self, new: &str) -> io::Result<()> {
        Ok(renameat(&self.0, plain(name.as_ref())?, &to.0, plain(new.as_ref())?)?)
    }

    /// Removes anything but a directory.
    pub(crate) fn remove(&self, name: impl AsRef<OsStr>) -> io::Result<()> {
        Ok(unlinkat(&self.0, plain(name.as_ref())?, AtFlags::empty())?)
    }

    /// Removes an empty directory.
    pub(crate) fn remove_directory(&self, name: impl AsRef<OsStr>) -> io::Result<()> {
        Ok(unlinkat(&self.0, plain(name.as_ref())?, AtFlags::REMOVEDIR)?)
    }

    pub(crate) fn is_directory(&self, name: &str) -> bool {
        self.child(name).is_ok()
    }

    /// Makes its entries durable.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.readable()?.sync_all()
    }

    /// All entries, in no order. One that is gone before it is looked at is left out.
    pub(crate) fn entries(&self) -> io::Result<impl Iterator<Item = io::Result<(OsString, Kind)>>> {
        let entries = rustix::fs::Dir::new(OwnedFd::from(self.readable()?))?;
        let at = self.0.try_clone()?;
        Ok(entries.filter_map(move |entry| {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => return Some(Err(error.into())),
            };
            let name = OsString::from_vec(entry.file_name().to_bytes().to_vec());
            if name == "." || name == ".." {
                return None;
            }
            let kind = match entry.file_type() {
                FileType::Unknown => {
                    let looked = statat(&at, &name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
                    kind(FileType::from_raw_mode(looked.st_mode))
                }
                known => kind(known),
            };
            Some(Ok((name, kind)))
        }))
    }

    fn readable(&self) -> io::Result<File> {
        Ok(openat(&self.0, ".", OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?.into())
    }

    fn is_link(&self, name: &OsStr) -> bool {
        statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW)
            .is_ok_and(|found| FileType::from_raw_mode(found.st_mode) == FileType::Symlink)
    }
}

fn kind(found: FileType) -> Kind {
    match found {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Directory,
        _ => Kind::Other,
    }
}

/// Every name is of one entry of the directory at hand, and leads nowhere else.
fn plain(name: &OsStr) -> io::Result<&OsStr> {
    let bytes = name.as_encoded_bytes();
    if bytes.is_empty() || bytes == b"." || bytes == b".." || bytes.contains(&b'/') || bytes.contains(&0) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    Ok(name)
}
