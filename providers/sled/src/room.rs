//! Room on the disk. sled does not survive a full one: a write to its log that fails poisons it, and recovery on a full disk
//! does damage. So its log gets room before it needs it, and writes are refused before there is none.

use std::{fs::File, path::Path};

use rustix::{
    fs::{FallocateFlags, fallocate, statvfs},
    io::Errno,
};
use slight_capabilities::{Error, Result};

/// What has to be free besides: for its snapshots, for values in files of their own, and for what sled rewrites by itself.
const RESERVE: u64 = 8 * 1024 * 1024;

/// What is set aside behind the end of the log, in bytes: several of its segments.
const AHEAD: u64 = 4 * 1024 * 1024;

/// How much a value may take: itself, and what is written with it.
const TIMES: u64 = 2;

/// Sees to room for a write of so many bytes in the database at `path`, whose log is `log`, if it is there.
///
/// # Errors
/// `Unavailable` when there is too little.
pub(crate) fn reserve(path: &Path, log: Option<&File>, bytes: usize) -> Result<()> {
    let bytes = (bytes as u64).saturating_mul(TIMES);
    // Where nobody can tell, there is room.
    let free = statvfs(path).map_or(u64::MAX, |found| found.f_bavail.saturating_mul(found.f_frsize));
    if free < RESERVE.saturating_add(bytes) {
        return Err(full(path));
    }
    let Some(log) = log else { return Ok(()) };
    let length = log.metadata().map_or(0, |found| found.len());
    match fallocate(log, FallocateFlags::KEEP_SIZE, length, AHEAD.saturating_add(bytes)) {
        Err(Errno::NOSPC | Errno::DQUOT | Errno::FBIG) => Err(full(path)),
        // Not every file system can set room aside.
        _ => Ok(()),
    }
}

fn full(path: &Path) -> Error {
    Error::unavailable(format!(
        "the disk of the database {} is full, or nearly; nothing was changed. It goes on when {} MiB are free",
        path.display(),
        RESERVE / 1024 / 1024
    ))
}
