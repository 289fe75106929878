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
    with_cause(Error::new(kind, message), error)
}

/// True when sled does not go on with the database until that is opened again.
pub(crate) fn ends_use(error: &sled::Error) -> bool {
    matches!(error, sled::Error::Io(_) | sled::Error::Corruption { .. } | sled::Error::ReportableBug(_))
}

/// The same of what [`said`] made of it.
pub(crate) fn is_failure(error: &Error) -> bool {
    error.kind() == ErrorKind::Unavailable
}

/// The database that was written to is not at its path any more.
pub(crate) fn gone(path: &Path) -> Error {
    Error::unavailable(format!(
        "the database {} was removed or replaced while it was in use, and the call with it",
        path.display()
    ))
}

/// Calls of a database that failed do not end.
pub(crate) fn hangs(path: &Path) -> Error {
    Error::unavailable(format!(
        "the database {} has failed, and calls of sled do not end; see to the disk, and start slight again",
        path.display()
    ))
}

/// Keeps the cause where sled has one in words. Of damage and of trees it prints its own types.
fn with_cause(said: Error, error: sled::Error) -> Error {
    match error {
        sled::Error::Io(io) => said.with_source(io),
        sled::Error::Unsupported(reason) | sled::Error::ReportableBug(reason) => said.with_source(reason),
        sled::Error::Corruption { .. } | sled::Error::CollectionNotFound(_) => said,
    }
}

/// What the disk says, of a flush: nobody knows what is on it.
pub(crate) fn unclear(reason: &str) -> Error {
    Error::timeout(format!("the write could not be made durable, and its outcome is unknown: {reason}"))
}

/// What sled says, of opening a database.
pub(crate) fn opening(path: &Path, error: sled::Error) -> Error {
    let database = path.display();
    let (kind, message) = match &error {
        // sled has no error of its own for this, and puts the system's into words that are not for people.
        sled::Error::Io(io) if io.to_string().contains("could not acquire lock") => {
            return Error::unavailable(format!(
                "the database {database} is open already, in another process or another section; one at a time can \
                 have it"
            ));
        }
        sled::Error::Io(io) if io.kind() == io::ErrorKind::PermissionDenied => {
            (ErrorKind::Denied, format!("the database {database} may not be read and written: {io}"))
        }
        sled::Error::Corruption { .. } => {
            (ErrorKind::Other, format!("the database {database} is damaged; restore it from a backup"))
        }
        _ => (ErrorKind::Unavailable, format!("the database {database} cannot be opened")),
    };
    with_cause(Error::new(kind, message), error)
}

/// There is something else where the database should be.
pub(crate) fn not_sled(path: &Path) -> Error {
    Error::invalid(format!(
        "{} is not a sled database, or one that is damaged; name another \"path\", or restore it from a backup",
        path.display()
    ))
}

/// The database has no such tree, and none may be made.
pub(crate) fn no_tree(path: &Path, tree: &str) -> Error {
    Error::not_found(format!(
        "there is no tree {tree:?} in the sled database {}; correct \"location\", or set \"create\" to true",
        path.display()
    ))
}
