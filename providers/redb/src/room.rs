//! Room on the disk: redb gives a file up when it meets a full disk, so that writes are refused before it does.

use std::path::Path;

use slight_capabilities::{Error, Result};

/// What has to be free for a change that adds next to nothing, so that what is full can be emptied.
const LEAST: u64 = 1024 * 1024;

/// What has to be free for any other, besides what it writes.
const RESERVE: u64 = 4 * 1024 * 1024;

/// Pages are written anew and not in place: the bytes themselves, and the way to them.
const TIMES: u64 = 3;

/// The room that is left for the writes of one transaction.
pub(crate) struct Room {
    free: u64,
    asked: u64,
}

impl Room {
    /// What is free where a file is. Where nobody can tell, everything.
    pub(crate) fn of(path: &Path) -> Self {
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let free =
            rustix::fs::statvfs(directory).map_or(u64::MAX, |found| found.f_bavail.saturating_mul(found.f_frsize));
        Self { free, asked: 0 }
    }

    /// Takes some of it for a write.
    ///
    /// # Errors
    /// `Unavailable` when too little is left.
    pub(crate) fn take(&mut self, path: &Path, bytes: usize) -> Result<()> {
        let asked = self.asked.saturating_add((bytes as u64).saturating_mul(TIMES));
        let least = if bytes == 0 { LEAST } else { RESERVE };
        if self.free < asked.saturating_add(least) {
            return Err(Error::unavailable(format!(
                "the disk of the database file {} is full, or nearly; nothing was changed. It goes on when there is room",
                path.display()
            )));
        }
        self.asked = asked;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_full_can_be_emptied() {
        let path = Path::new("slight.redb");
        let mut room = Room { free: LEAST, asked: 0 };
        room.take(path, 0).unwrap();
        assert!(room.take(path, 1).unwrap_err().message().contains("full"));
        let mut room = Room { free: RESERVE + 30, asked: 0 };
        room.take(path, 10).unwrap();
        room.take(path, 1).unwrap_err();
    }
}
