use std::{
    collections::BinaryHeap,
    ffi::OsString,
    fs::{self, FileType},
    io,
    path::Path,
};

use crate::errors::is_missing;

/// Walks a tree of files in the order of their paths, part by part, and gives up to `limit` of them that come after one.
///
/// Nothing is kept between calls, and of each directory no more than `limit` names are held: it is read again for every
/// page. `pick` says what name the file at a path has, if it is to be listed.
pub(crate) fn page(
    root: &Path,
    after: &[String],
    limit: usize,
    pick: &dyn Fn(&[String]) -> Option<String>,
) -> io::Result<Vec<String>> {
    let mut walk = Walk { limit, pick, at: Vec::new(), found: Vec::new() };
    walk.directory(root, after)?;
    Ok(walk.found)
}

struct Walk<'a> {
    limit: usize,
    pick: &'a dyn Fn(&[String]) -> Option<String>,
    at: Vec<String>,
    found: Vec<String>,
}

impl Walk<'_> {
    fn directory(&mut self, directory: &Path, after: &[String]) -> io::Result<()> {
        // The entry that the last page ended in: of a directory, the rest is to come.
        let (mut bound, rest) = match after.split_first() {
            None => (None, None),
            Some((first, rest)) => (Some(first.clone()), Some(rest).filter(|rest| !rest.is_empty())),
        };
        if let (Some(first), Some(rest)) = (&bound, rest) {
            let within = directory.join(first);
            // It may have been replaced by a link since.
            if fs::symlink_metadata(&within).is_ok_and(|metadata| metadata.is_dir()) {
                self.at.push(first.clone());
                self.directory(&within, rest)?;
                self.at.pop();
            }
        }
        while self.found.len() < self.limit {
            let entries = smallest(directory, bound.as_deref(), self.limit - self.found.len())?;
            let Some((last, _)) = entries.last() else { break };
            bound = Some(last.clone());
            for (name, is_directory) in entries {
                if self.found.len() < self.limit {
                    self.entry(directory, name, is_directory)?;
                }
            }
        }
        Ok(())
    }

    fn entry(&mut self, directory: &Path, name: String, is_directory: bool) -> io::Result<()> {
        let path = directory.join(&name);
        self.at.push(name);
        if is_directory {
            self.directory(&path, &[])?;
        } else {
            self.found.extend((self.pick)(&self.at));
        }
        self.at.pop();
        Ok(())
    }
}

/// The first `count` entries of a directory after `bound`, in order; true for directories. Links, pipes and such are
/// passed over, as are names that are not Unicode. A directory that is gone has none.
fn smallest(directory: &Path, bound: Option<&str>, count: usize) -> io::Result<Vec<(String, bool)>> {
    let entries = match fs::read_dir(directory) {
        Err(error) if is_missing(&error) => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut heap = BinaryHeap::with_capacity(count + 1);
    for entry in entries {
        let entry = entry?;
        let Some(name) = name_of(entry.file_name()) else { continue };
        if bound.is_some_and(|bound| name.as_str() <= bound) {
            continue;
        }
        if heap.len() >= count && heap.peek().is_some_and(|(largest, _)| name >= *largest) {
            continue;
        }
        let Some(is_directory) = entry.file_type().ok().and_then(directory_or_file) else { continue };
        heap.push((name, is_directory));
        if heap.len() > count {
            heap.pop();
        }
    }
    Ok(heap.into_sorted_vec())
}

fn directory_or_file(kind: FileType) -> Option<bool> {
    if kind.is_dir() { Some(true) } else { kind.is_file().then_some(false) }
}

fn name_of(name: OsString) -> Option<String> {
    name.into_string().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_go_on_where_the_last_one_ended() {
        let directory = tempfile::tempdir().unwrap();
        let mut expected = Vec::new();
        for first in ["a", "b", "c+", "d"] {
            fs::create_dir(directory.path().join(first)).unwrap();
            fs::create_dir_all(directory.path().join(first).join("empty/empty")).unwrap();
            for second in 0..7 {
                fs::write(directory.path().join(first).join(second.to_string()), "").unwrap();
                expected.push(format!("{first}/{second}"));
            }
        }
        fs::write(directory.path().join("c"), "").unwrap();
        expected.push("c".to_owned());
        expected.sort_unstable_by_key(|path| path.split('/').map(str::to_owned).collect::<Vec<_>>());
        for limit in [1, 2, 3, 7, 8, 100] {
            let (mut found, mut after): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
            loop {
                let names = page(directory.path(), &after, limit, &|path| Some(path.join("/"))).unwrap();
                found.extend(names.clone());
                match names.last() {
                    Some(last) if names.len() == limit => after = last.split('/').map(str::to_owned).collect(),
                    _ => break,
                }
            }
            assert_eq!(found, expected, "{limit}");
        }
    }
}
