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

impl Failure {
    /// True when redb does not go on with the file until that is opened again.
    pub(crate) fn ends_use(&self) -> bool {
        matches!(self, Self::Storage(error) if ends_use(error))
    }
}

/// The same of an error of redb: it trusts a file no more once reading or writing it has failed.
pub(crate) fn ends_use(error: &redb::Error) -> bool {
    use redb::Error;
    matches!(
        error,
        Error::Io(_) | Error::PreviousIo | Error::DatabaseClosed | Error::LockPoisoned(_) | Error::Corrupted(_)
    )
}

impl From<redb::Error> for Failure {
    fn from(error: redb::Error) -> Self {
        Self::Storage(error)
    }
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

/// The file is there, and there is nothing in it.
pub(crate) fn emptied(path: &Path) -> Error {
    Error::unavailable(format!(
        "the database file {} is empty: what was in it is lost. Restore it from a backup, or remove it to begin anew",
        path.display()
    ))
}

/// Something else has the name of the file.
pub(crate) fn no_ordinary_file(path: &Path) -> Error {
    Error::invalid(format!("{} is no ordinary file; name another one", path.display()))
}

/// The file that was written to is not at its path any more.
pub(crate) fn gone(path: &Path) -> Error {
    Error::unavailable(format!(
        "the database file {} was removed or replaced while it was in use, and the call with it",
        path.display()
    ))
}

/// The file can only be read.
pub(crate) fn read_only(path: &Path) -> Error {
    Error::denied(format!(
        "the database file {} cannot be written, so it is only read; make it and its file system writable to change it",
        path.display()
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
        DatabaseError::Storage(StorageError::Corrupted(_)) => return damaged(path).with_source(error),
        // Only a file that is opened to be read alone.
        DatabaseError::RepairAborted => (
            ErrorKind::Unavailable,
            format!(
                "the database file {file} was not closed by the process that used it last, and cannot be written to \
                 repair it; make it writable for one start"
            ),
        ),
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
            format!("{what}: reading or writing it has failed; see to the disk. It is tried again with the next call")
        }
        redb::Error::Io(io) if matches!(io.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => {
            format!("{what}: the disk is full. It goes on when there is room")
        }
        error => format!("{what}: {error}"),
    }
}
