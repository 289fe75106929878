use std::{io, path::Path};

use redb::{CommitError, DatabaseError, StorageError, TableError, TransactionError};
use slight_capabilities::{Error, ErrorKind};

/// The longest value that redb stores (3 GiB).
pub(crate) const MAX_VALUE_BYTES: u64 = 3 * 1024 * 1024 * 1024;

/// Why a piece of work on the database did not succeed.
pub(crate) enum Failure {
    /// It was refused, and has changed nothing.
    Refused(Error),
    /// redb failed: what it changed in this transaction must not be committed.
    Storage(redb::Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

impl From<StorageError> for Failure {
    fn from(error: StorageError) -> Self {
        Self::Storage(error.into())
    }
}

impl From<TableError> for Failure {
    fn from(error: TableError) -> Self {
        Self::Storage(error.into())
    }
}

impl From<TransactionError> for Failure {
    fn from(error: TransactionError) -> Self {
        Self::Storage(error.into())
    }
}

impl From<CommitError> for Failure {
    fn from(error: CommitError) -> Self {
        Self::Storage(error.into())
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(error) => error,
            Failure::Storage(error) => storage(error),
        }
    }
}

/// What redb says, of a call that changed nothing.
fn storage(error: redb::Error) -> Error {
    match error {
        redb::Error::TableDoesNotExist(table) => {
            Error::not_found(format!("the table {table:?} is not in the database file"))
        }
        redb::Error::ValueTooLarge(size) => Error::too_large("the value", size as u64, MAX_VALUE_BYTES),
        error => Error::new(kind_of(&error), sentence("the database file cannot be used", &error)).with_source(error),
    }
}

/// What redb says, of a commit: nobody knows what is on the disk.
pub(crate) fn unclear(error: &redb::Error) -> Error {
    Error::timeout(sentence("the write could not be made durable, and its outcome is unknown", error))
}

/// What redb says, of a transaction that another write of it has failed.
pub(crate) fn aborted(error: &redb::Error) -> Error {
    Error::new(kind_of(error), sentence("the write was not made", error))
}

/// There is no file, and none may be made.
pub(crate) fn no_file(path: &Path) -> Error {
    let file = path.display();
    Error::not_found(format!("there is no database file {file}; put it there, or set \"create\" to true"))
}

/// The file has no such table, and none may be made.
pub(crate) fn no_table(path: &Path, table: &str) -> Error {
    let file = path.display();
    Error::not_found(format!(
        "there is no table {table:?} in the database file {file}; correct \"location\", or set \"create\" to true"
    ))
}

/// What is in the file is not what redb has written.
pub(crate) fn damaged(path: &Path) -> Error {
    Error::other(format!("the database file {} is damaged; restore it from a backup", path.display()))
}

/// What redb says, of opening a file.
pub(crate) fn opening(path: &Path, error: DatabaseError) -> Error {
    let file = path.display();
    let (kind, message) = match &error {
        DatabaseError::DatabaseAlreadyOpen => (
            ErrorKind::Unavailable,
            format!(
                "the database file {file} is open already, in another process or another section; one at a time can \
                 have it"
            ),
        ),
        DatabaseError::UpgradeRequired(version) => (
            ErrorKind::Invalid,
            format!("the database file {file} has the old format {version}; upgrade it with redb's own means"),
        ),
        DatabaseError::Storage(StorageError::Io(io)) if io.kind() == io::ErrorKind::InvalidData => {
            (ErrorKind::Invalid, format!("the file {file} is not a redb database; name another one"))
        }
        DatabaseError::Storage(StorageError::Corrupted(_)) | DatabaseError::RepairAborted => {
            return damaged(path).with_source(error);
        }
        DatabaseError::Storage(StorageError::Io(io)) if io.kind() == io::ErrorKind::PermissionDenied => {
            (ErrorKind::Denied, format!("the database file {file} may not be read and written: {io}"))
        }
        _ => (ErrorKind::Unavailable, format!("the database file {file} cannot be opened: {error}")),
    };
    Error::new(kind, message).with_source(error)
}

fn kind_of(error: &redb::Error) -> ErrorKind {
    match error {
        redb::Error::Io(_) | redb::Error::PreviousIo | redb::Error::DatabaseClosed => ErrorKind::Unavailable,
        _ => ErrorKind::Other,
    }
}

fn sentence(what: &str, error: &redb::Error) -> String {
    match error {
        redb::Error::PreviousIo => {
            format!("{what}: reading or writing it failed before; see to the disk, and start slight again")
        }
        error => format!("{what}: {error}"),
    }
}
