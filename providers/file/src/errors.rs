use std::io;

use rustix::io::Errno;
use slight_capabilities::{Error, ErrorKind};

/// What the system says, while doing `what`. Paths are for the log, by the source.
pub(crate) fn said(what: &str, error: io::Error) -> Error {
    use io::ErrorKind as Io;
    if is_link(&error) {
        let sentence = format!("{what} failed: a symbolic link is on the way, and none is followed");
        return Error::denied(sentence).with_source(error);
    }
    let (kind, advice) = match error.kind() {
        Io::NotFound => (ErrorKind::NotFound, ""),
        Io::PermissionDenied | Io::ReadOnlyFilesystem => (ErrorKind::Denied, ""),
        Io::InvalidFilename | Io::InvalidInput | Io::NotADirectory | Io::IsADirectory => (ErrorKind::Invalid, ""),
        Io::FileTooLarge => (ErrorKind::TooLarge, ""),
        Io::StorageFull | Io::QuotaExceeded => (ErrorKind::Unavailable, "; it can be tried again when there is room"),
        _ => (ErrorKind::Other, ""),
    };
    Error::new(kind, format!("{what} failed: {error}{advice}")).with_source(error)
}

pub(crate) fn no_container(name: &str) -> Error {
    Error::not_found(format!("there is no container {name:?}"))
}

pub(crate) fn no_object(object: &str, container: &str) -> Error {
    Error::not_found(format!("there is no object {object:?} in container {container:?}"))
}

/// True when a path leads nowhere: what is on its way may be a file, too.
pub(crate) fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// True when a link was in the way.
fn is_link(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::LOOP.raw_os_error())
}
