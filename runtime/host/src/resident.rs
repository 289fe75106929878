//! How much memory the process has.

use std::fs::File;

/// Where Linux tells how much memory the process has. Elsewhere there is none.
#[derive(Debug)]
pub struct Resident(File);

/// The size of a page: what Linux counts in. Where pages are larger, less is measured than there is.
const PAGE: usize = 4096;

impl Resident {
    /// To be read any number of times.
    pub fn open() -> Option<Self> {
        File::open("/proc/self/statm").ok().map(Self)
    }

    /// What only this process has, in bytes: not the files that it maps, which the system can drop.
    #[cfg(unix)]
    pub fn read(&self) -> Option<usize> {
        use std::os::unix::fs::FileExt;

        let mut text = [0; 128];
        let length = self.0.read_at(&mut text, 0).ok()?;
        private_bytes(std::str::from_utf8(text.get(..length)?).ok()?)
    }

    /// Nothing.
    #[cfg(not(unix))]
    pub fn read(&self) -> Option<usize> {
        None
    }
}

/// From `size resident shared …`, in pages.
fn private_bytes(statm: &str) -> Option<usize> {
    let mut pages = statm.split_whitespace().skip(1).map_while(|pages| pages.parse::<usize>().ok());
    let (resident, shared) = (pages.next()?, pages.next()?);
    Some(resident.saturating_sub(shared) * PAGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shared_with_files_does_not_count() {
        assert_eq!(private_bytes("4096 100 60 1 0 30 0\n"), Some(40 * PAGE));
        assert_eq!(private_bytes("4096 100"), None);
    }
}
