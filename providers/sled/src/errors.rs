use std::{io, path::Path};

use slight_capabilities::{Error, ErrorKind};

/// What sled says, of a call.
pub(crate) fn said(error: sled::Error) -> Error {
    let (kind, message) = match &error {
        sled::Error::Io(io) => (ErrorKind::Unavailable, format!("the database cannot be read or written: {io}")),
        sled::Error::CollectionNotFound(_) => {
            (ErrorKind::NotFound, "the location is no longer in the database".to_owned())
        }
        sled::Error::Corruption { .. } => {
            (ErrorKind::Other, "the database is damaged; restore it from a backup".to_owned())
        }
        sled::Error::Unsupported(_) | sled::Error::ReportableBug(_) => {
            (ErrorKind::Other, "the database refused the call".to_owned())
        }
    };
    Error::new(kind, message).with_source(error)
}

/// What the disk says, of a flush: nobody knows what is on it.
pub(crate) fn unclear(reason: &str) -> Error {
    Error::timeout(format!("the write could not be made durable, and its outcome is unknown: {reason}"))
}

/// What sled says, of opening a database.
pub(crate) fn opening(path: &Path, error: sled::Error) -> Error {
    let database = path.display();
    let (kind, message) = match &error {
        // sled has no error of its own for this.
        sled::Error::Io(io) if io.to_string().contains("could not acquire lock") => (
            ErrorKind::Unavailable,
            format!(
                "the database {database} is open already, in another process or another section; one at a time can \
                 have it"
            ),
        ),
        sled::Error::Io(io) if io.kind() == io::ErrorKind::PermissionDenied => {
            (ErrorKind::Denied, format!("the database {database} may not be read and written: {io}"))
        }
        sled::Error::Corruption { .. } => {
            (ErrorKind::Other, format!("the database {database} is damaged; restore it from a backup"))
        }
        _ => (ErrorKind::Unavailable, format!("the database {database} cannot be opened: {error}")),
    };
    Error::new(kind, message).with_source(error)
}
