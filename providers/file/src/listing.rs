use std::{collections::BinaryHeap, io};

use crate::dir::{Dir, Kind};

/// No name has more parts than this, so that nothing deeper is an object: each level is an open file.
const DEEPEST: usize = 512;

/// Walks a tree of files in the order of their paths, part by part, and gives up to `limit` of them that come after one.
///
/// Nothing is kept between calls, and of each directory no more than `limit` names are held: it is read again for every
/// page. `pick` says what name the file at a path has, if it is to be listed.
pub(crate) fn page(
    root: &Dir,
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
    fn directory(&mut self, directory: &Dir, after: &[String]) -> io::Result<()> {
        // The entry that the last page ended in: of a directory, the rest is to come.
        let (mut bound, rest) = match after.split_first() {
            None => (None, None),
            Some((first, rest)) => (Some(first.clone()), Some(rest).filter(|rest| !rest.is_empty())),
        };
        if let (Some(first), Some(rest)) = (&bound, rest) {
            self.within(directory, first.clone(), rest)?;
        }
        while self.found.len() < self.limit {
            let entries = smallest(directory, bound.as_deref(), self.limit - self.found.len())?;
            let Some((last, _)) = entries.last() else { break };
            bound = Some(last.clone());
            for (name, is_directory) in entries {
                if self.found.len() >= self.limit {
                    break;
                }
                if is_directory {
                    self.within(directory, name, &[])?;
                } else {
                    self.at.push(name);
                    self.found.extend((self.pick)(&self.at));
                    self.at.pop();
                }
            }
        }
        Ok(())
    }

    /// Lists a directory in a directory. One that is gone, became a link or may not be read has nothing to be listed, and
    /// keeps nothing else from being listed.
    fn within(&mut self, directory: &Dir, name: String, after: &[String]) -> io::Result<()> {
        if self.at.len() >= DEEPEST {
            return Ok(());
        }
        let Ok(inner) = directory.child(&name) else { return Ok(()) };
        self.at.push(name);
        let listed = self.directory(&inner, after);
        self.at.pop();
        match listed {
            Err(error) if matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::NotFound) => Ok(()),
            listed => listed,
        }
    }
}

/// The first `count` entries of a directory after `bound`, in order; true for directories. Links, pipes and such are
/// passed over, as are names that are not Unicode.
fn smallest(directory: &Dir, bound: Option<&str>, count: usize) -> io::Result<Vec<(String, bool)>> {
    let mut heap = BinaryHeap::with_capacity(count + 1);
    for entry in directory.entries()? {
        let (name, kind) = entry?;
        let Ok(name) = name.into_string() else { continue };
        if kind == Kind::Other || bound.is_some_and(|bound| name.as_str() <= bound) {
            continue;
        }
        if heap.len() >= count && heap.peek().is_some_and(|(largest, _)| name >= *largest) {
            continue;
        }
        heap.push((name, kind == Kind::Directory));
        if heap.len() > count {
            heap.pop();
        }
    }
    Ok(heap.into_sorted_vec())
}

#[cfg(test)]
mod tests {
    use std::fs;

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
        let root = Dir::absolute(&directory.path().canonicalize().unwrap()).unwrap();
        for limit in [1, 2, 3, 7, 8, 100] {
            let (mut found, mut after): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
            loop {
                let names = page(&root, &after, limit, &|path| Some(path.join("/"))).unwrap();
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
