//! The database file: whether it is there and what it is, before anything is read from it.

use std::{
    fs::{self, OpenOptions},
    io,
    path::Path,
};

use redb::{Builder, Database, DatabaseError, ReadableDatabase, TableHandle};
use slight_capabilities::{Error, Readiness, Result};

use crate::errors::{Failure, no_file, no_table, opening};

/// What redb keeps of the file in memory, in bytes. The system caches the file besides.
const CACHE_BYTES: usize = 64 * 1024 * 1024;

/// Opens the file, and makes it if that may be.
pub(crate) fn open(path: &Path, may_create: bool) -> Result<Database> {
    let is_missing = is_missing(path)?;
    if is_missing && !may_create {
        return Err(no_file(path));
    }
    let unusable = |error: io::Error| {
        Error::unavailable(format!("the directory of {} cannot be made: {error}", path.display())).with_source(error)
    };
    if let Some(directory) = path.parent().filter(|_| is_missing) {
        fs::create_dir_all(directory).map_err(unusable)?;
    }
    let db = Builder::new().set_cache_size(CACHE_BYTES).create(path).map_err(|error| opening(path, error))?;
    sync_entry(path).map_err(unusable)?;
    Ok(db)
}

/// What opening the file and making the table would make. The file stays as it is, to the byte.
pub(crate) fn inspect(path: &Path, table: &str, may_create: bool) -> Result<Readiness> {
    if is_missing(path)? {
        let shown = format!("the database file {}", path.display());
        return if may_create { Ok(Readiness::ToBeCreated(shown)) } else { Err(no_file(path)) };
    }
    let failed = |error| opening(path, error);
    // Reading alone does not tell whether writing is allowed.
    OpenOptions::new().read(true).write(true).open(path).map_err(|error| failed(error.into()))?;
    match Builder::new().set_cache_size(CACHE_BYTES).open_read_only(path) {
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

/// An empty file is none: that is what a crash leaves at the moment that one is made.
fn is_missing(path: &Path) -> Result<bool> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(metadata.is_file() && metadata.len() == 0),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(opening(path, error.into())),
    }
}

/// Makes it durable that the file is there: what is synced in it is lost without its name.
fn sync_entry(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if cfg!(unix) { fs::File::open(directory)?.sync_all() } else { Ok(()) }
}
