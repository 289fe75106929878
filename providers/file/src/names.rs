//! Names as paths.
//!
//! A name is encoded as for every backend ([`encode_name`]), and its segments become directories and, the last one, the
//! file. Directories that stand for a segment have a `+` behind their names, which no encoded name holds: so the objects
//! `a` and `a/b` are the file `a` and the file `b` in `a+`, side by side, and neither is in the way of the other. Nothing
//! that begins with a dot is a name.

use slight_capabilities::{decode_name, encode_name};

/// Behind every segment but the last.
const DIRECTORY: char = '+';

/// The path of an object within its container, or, with the prefix before it, of a container within the location: its
/// parts, in order.
pub(crate) fn path_of(encoded: &str) -> Vec<String> {
    let mut parts: Vec<String> = encoded.split('/').map(|segment| format!("{segment}{DIRECTORY}")).collect();
    if let Some(last) = parts.last_mut() {
        last.pop();
    }
    parts
}

pub(crate) fn object_path(name: &str) -> Vec<String> {
    path_of(&encode_name(name))
}

/// The object that a path stands for; `None` for files that are none.
pub(crate) fn object_of(path: &[String]) -> Option<String> {
    let (last, directories) = path.split_last()?;
    let mut encoded = String::new();
    for directory in directories {
        encoded.push_str(directory.strip_suffix(DIRECTORY)?);
        encoded.push('/');
    }
    encoded.push_str(last);
    decode_name(&encoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_files_under_their_names() {
        assert_eq!(object_path("photo.jpg"), ["photo.jpg"]);
        assert_eq!(object_path("users/42/photo.jpg"), ["users+", "42+", "photo.jpg"]);
        assert_eq!(object_path(".."), ["=Li4"]);
    }

    #[test]
    fn paths_come_back_as_names() {
        let long = "/".repeat(512);
        for name in ["a", "a/b", "..", "a//b", "/a", "a+", "a+/b", "\0", ".slight-container", &long] {
            assert_eq!(object_of(&object_path(name)).as_deref(), Some(name));
        }
    }

    #[test]
    fn other_files_are_no_objects() {
        for path in [&["été"][..], &[".slight-container"], &["a", "b"], &["a+"], &["=Li4+"]] {
            let path: Vec<_> = path.iter().map(|part| (*part).to_owned()).collect();
            assert_eq!(object_of(&path), None, "{path:?}");
        }
    }
}
