//! The directory of a database: whether it is there and what it is, before sled touches it.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom},
    path::Path,
};

use slight_capabilities::{Error, Readiness, Result};

use crate::{
    errors::{no_tree, not_sled, opening, said},
    room,
};

/// What sled keeps of the database in memory, in bytes.
const CACHE_BYTES: u64 = 64 * 1024 * 1024;

/// The file that sled keeps its log in, within the directory of the database.
pub(crate) const LOG: &str = "db";

/// The log is made of segments of this many bytes, as long as nothing else is asked for.
const SEGMENT_BYTES: u64 = 512 * 1024;

/// Each begins with a checksum, its place in the log, and how much of the log was safe by then.
const CHECKSUM_BYTES: usize = 4;
const HEADER_BYTES: usize = CHECKSUM_BYTES + 16;

/// Opens the database, and makes it if that may be.
pub(crate) fn open(path: &Path, may_create: bool) -> Result<sled::Db> {
    if is_missing(path)? && !may_create {
        return Err(Error::not_found(format!(
            "there is no sled database in {}; put it there, or set \"create\" to true",
            path.display()
        )));
    }
    fs::create_dir_all(path).map_err(|error| opening(path, error.into()))?;
    // Recovery on a full disk does damage.
    let log = OpenOptions::new().write(true).open(path.join(LOG)).ok();
    room::reserve(path, log.as_ref(), 0)?;
    let config = sled::Config::new().path(path).cache_capacity(CACHE_BYTES);
    config.open().map_err(|error| opening(path, error))
}

/// What opening the database and the tree would make.
pub(crate) fn inspect(path: &Path, tree: &str, may_create: bool) -> Result<Readiness> {
    if is_missing(path)? && may_create {
        return Ok(Readiness::ToBeCreated(format!("the sled database {}", path.display())));
    }
    // sled has no way to read one without writing to it what the next start would.
    inspect_tree(&open(path, false)?, path, tree, may_create)
}

/// The same of an open database.
pub(crate) fn inspect_tree(db: &sled::Db, path: &Path, tree: &str, may_create: bool) -> Result<Readiness> {
    if has_tree(db, tree) {
        Ok(Readiness::Ready)
    } else if may_create {
        Ok(Readiness::ToBeCreated(format!("the tree {tree:?} in the sled database {}", path.display())))
    } else {
        Err(no_tree(path, tree))
    }
}

/// Opens a tree, and makes it if that may be.
pub(crate) fn open_tree(db: &sled::Db, path: &Path, tree: &str, may_create: bool) -> Result<sled::Tree> {
    if may_create || has_tree(db, tree) { db.open_tree(tree).map_err(said) } else { Err(no_tree(path, tree)) }
}

fn has_tree(db: &sled::Db, tree: &str) -> bool {
    db.tree_names().iter().any(|name| name == tree.as_bytes())
}

/// True where there is nothing yet. Anything but a database of sled is an error: sled would write over it.
fn is_missing(path: &Path) -> Result<bool> {
    match fs::metadata(path) {
        Ok(metadata) if !metadata.is_dir() => return Err(not_sled(path)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        found => found.map_err(|error| opening(path, error.into()))?,
    };
    let log = match File::open(path.join(LOG)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        log => log.map_err(|error| opening(path, error.into()))?,
    };
    let (empty, known) = look_at(log).map_err(|error| opening(path, error.into()))?;
    if empty || known { Ok(empty) } else { Err(not_sled(path)) }
}

/// Whether the log is empty, and whether any of its segments is one that sled wrote.
fn look_at(mut log: File) -> io::Result<(bool, bool)> {
    let length = log.metadata()?.len();
    let mut start = 0;
    while start + HEADER_BYTES as u64 <= length {
        let mut header = [0; HEADER_BYTES];
        log.seek(SeekFrom::Start(start))?;
        log.read_exact(&mut header)?;
        if is_segment(&header) {
            return Ok((false, true));
        }
        start += SEGMENT_BYTES;
    }
    Ok((length == 0, false))
}

fn is_segment(header: &[u8; HEADER_BYTES]) -> bool {
    let Some((checksum, rest)) = header.split_first_chunk::<CHECKSUM_BYTES>() else { return false };
    !u32::from_le_bytes(*checksum) == crc32(rest)
}

/// The checksum that sled uses, of so few bytes that there is no need for a fast one.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_checksum_is_the_common_one() {
        assert_eq!(super::crc32(b"123456789"), 0xCBF4_3926);
    }
}
