//! The database file: whether it is there and what it is, before anything is read from it.

use std::{
    fs::{self, OpenOptions},
    io,
    path::Path,
};

use redb::{Builder, Database, DatabaseError, ReadOnlyDatabase, ReadableDatabase, StorageError, TableHandle};
use slight_capabilities::{Error, Readiness, Result};

use crate::{
    errors::{Failure, emptied, no_file, no_ordinary_file, no_table, opening},
    room::Room,
};

/// What redb keeps of the file in memory, in bytes. The system caches the file besides.
const CACHE_BYTES: usize = 64 * 1024 * 1024;

/// A file that was opened.
pub(crate) enum Opened {
    Writable(Database),
    /// Neither it nor its file system can be written.
    ReadOnly(ReadOnlyDatabase),
}

/// Opens the file, and makes it if that may be.
pub(crate) fn open(path: &Path, may_create: bool) -> Result<Opened> {
    if is_missing(path)? {
        if !may_create {
            return Err(no_file(path));
        }
        make(path)?;
    }
    let failed = |error| opening(path, error);
    match builder().open(path) {
        Ok(db) => Ok(Opened::Writable(db)),
        Err(error) if is_write_protected(&error) => {
            builder().open_read_only(path).map(Opened::ReadOnly).map_err(failed)
        }
        Err(error) => Err(failed(error)),
    }
}

/// Makes an empty database elsewhere and gives it its name when it is whole: no crash leaves a part of one.
fn make(path: &Path) -> Result<()> {
    let unusable = |error: io::Error| {
        Error::unavailable(format!("the database file {} cannot be made: {error}", path.display())).with_source(error)
    };
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).map_err(unusable)?;
    }
    Room::of(path).take(path, 1)?;
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let new = Path::new(&new);
    match fs::remove_file(new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(unusable(error)),
        _ => {}
    }
    let made = builder().create(new).map_err(|error| opening(path, error)).and_then(|db| {
        drop(db);
        match fs::hard_link(new, path) {
            // Another process was first.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            // Not every file system has such links.
            Err(_) => fs::rename(new, path).map_err(unusable),
            Ok(()) => Ok(()),
        }
    });
    // It may have been renamed, or removed by another process that makes the same.
    _ = fs::remove_file(new);
    made.and_then(|()| sync_entry(path).map_err(unusable))
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE_BYTES);
    builder
}

/// Makes a file empty again that was found empty.
pub(crate) fn empty(path: &Path) {
    if let Ok(file) = OpenOptions::new().write(true).open(path) {
        // Where it fails, the file is found damaged instead.
        _ = file.set_len(0);
    }
}

pub(crate) fn is_writable(path: &Path) -> bool {
    OpenOptions::new().read(true).write(true).open(path).is_ok()
}

fn is_write_protected(error: &DatabaseError) -> bool {
    let DatabaseError::Storage(StorageError::Io(error)) = error else { return false };
    matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
}

/// What opening the file and making the table would make. The file stays as it is, to the byte.
pub(crate) fn inspect(path: &Path, table: &str, may_create: bool) -> Result<Readiness> {
    if is_missing(path)? {
        let shown = format!("the database file {}", path.display());
        return if may_create { Ok(Readiness::ToBeCreated(shown)) } else { Err(no_file(path)) };
    }
    let failed = |error| opening(path, error);
    match builder().open_read_only(path) {
        // A process was killed that had it open. What is in it is known once the next start has repaired it.
        Err(DatabaseError::RepairAborted) => Ok(Readiness::Ready),
        db => inspect_table(&db.map_err(failed)?, path, table, may_create),
    }
}

/// The same of an open file.
pub(crate) fn inspect_table(
    db: &impl ReadableDatabase,
    path: &Path,
    table: &str,
    may_create: bool,
) -> Result<Readiness> {
    if has_table(db, table)? {
        Ok(Readiness::Ready)
    } else if may_create {
        Ok(Readiness::ToBeCreated(format!("the table {table:?} in the database file {}", path.display())))
    } else {
        Err(no_table(path, table))
    }
}

/// Checks that there is a table.
pub(crate) fn find_table(db: &impl ReadableDatabase, path: &Path, table: &str) -> Result<()> {
    if has_table(db, table)? { Ok(()) } else { Err(no_table(path, table)) }
}

fn has_table(db: &impl ReadableDatabase, table: &str) -> Result<bool> {
    let snapshot = db.begin_read().map_err(Failure::from)?;
    let mut tables = snapshot.list_tables().map_err(Failure::from)?;
    Ok(tables.any(|known| known.name() == table))
}

/// An empty file is not missing: there was something in it once.
fn is_missing(path: &Path) -> Result<bool> {
    match fs::metadata(path) {
        // To open a pipe would wait for whoever writes to it.
        Ok(metadata) if !metadata.is_file() => Err(no_ordinary_file(path)),
        Ok(metadata) if metadata.len() == 0 => Err(emptied(path)),
        Ok(_) => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(opening(path, error.into())),
    }
}

/// Makes it durable that the file is there: what is synced in it is lost without its name.
fn sync_entry(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if cfg!(unix) { fs::File::open(directory)?.sync_all() } else { Ok(()) }
}
