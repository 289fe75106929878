//! Names as keys.
//!
//! A name is encoded as for every backend ([`encode_name`]). In the names of buckets and containers each segment but the
//! last has a `+` behind it, which no encoded name holds: so container `a` with the object `b/c` and container `a/b` with
//! the object `c` are the keys `a/b/c` and `a+/b/c`, and a listing of the one does not find the other.

use slight_capabilities::{QualifiedName, decode_name, encode_name};

/// In a container, says that it exists and since when. No object is encoded to a name that begins with a dot.
pub(crate) const MARKER: &str = ".slight-container";

/// What the keys of a bucket or container begin with, below the location.
pub(crate) fn directory_of(name: &QualifiedName) -> String {
    format!("{}/", name.encoded().replace('/', "+/"))
}

/// Whether a key, below the location, is that of something in a container: of other keys other programs take care.
pub(crate) fn is_object(key: &str) -> bool {
    let mut rest = key;
    let mut container = String::new();
    while let Some((segment, behind)) = rest.split_once('/') {
        rest = behind;
        match segment.strip_suffix('+') {
            Some(segment) => container.extend([segment, "/"]),
            None => {
                container.push_str(segment);
                let name = container.rsplit_once("=/").map_or(container.as_str(), |(_, name)| name);
                let is_name = decode_name(&container).or_else(|| decode_name(name)).is_some();
                return is_name && Naming::Encoded.read(rest).is_some();
            }
        }
    }
    false
}

/// How the objects of a container are named in S3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Naming {
    /// By the encoding that all providers share.
    Encoded,
    /// As other programs see them.
    Literal,
}

impl Naming {
    pub(crate) fn write(self, name: &str) -> String {
        match self {
            Self::Encoded => encode_name(name),
            Self::Literal => name.to_owned(),
        }
    }

    /// `None` for what is no name of ours.
    pub(crate) fn read(self, key: &str) -> Option<String> {
        match self {
            Self::Encoded => decode_name(key),
            Self::Literal => Some(key.to_owned()).filter(|key| !key.is_empty()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_container_is_within_another() {
        let named = |prefix, name| directory_of(&QualifiedName::new(prefix, name));
        assert_eq!(named("", "photos"), "photos/");
        assert_eq!(named("shop", "photos"), "shop=+/photos/");
        assert_eq!(named("shop/", "photos"), "shop+/=+/photos/");
        assert_eq!(named("", "a/b"), "a+/b/");
        assert_eq!(named("", "a b"), "=YSBi/");
    }

    #[test]
    fn no_key_is_of_two_containers() {
        let prefixes = ["", "shop", "shop-", "shop/", "shop/x", "a"];
        let names = ["a", "-a", "x/a", "a/", "shop", "a+", "shop=/a", "=", ".", "a b"];
        let objects = ["a", "b/a", "+/a", "a/", "=/a", ".slight-container", "..", "a+/b"];
        let qualified: Vec<_> =
            prefixes.iter().flat_map(|prefix| names.map(|name| QualifiedName::new(*prefix, name))).collect();
        let mut keys = std::collections::BTreeSet::new();
        for name in &qualified {
            let directory = directory_of(name);
            assert!(keys.insert(format!("{directory}{MARKER}")), "{name:?}");
            for object in objects {
                let key = format!("{directory}{}", Naming::Encoded.write(object));
                assert!(is_object(&key), "{key}");
                assert!(keys.insert(key), "{name:?} {object:?}");
            }
            let within = qualified.iter().filter(|other| directory_of(other).starts_with(&directory));
            assert_eq!(within.count(), 1, "{name:?}");
        }
        for foreign in ["", "backup.tar", "a/", "a/b c", "a//b", "a+/b", "=YR/a", "a b/c", "a/.slight-container"] {
            assert!(!is_object(foreign), "{foreign}");
        }
    }

    #[test]
    fn the_marker_is_no_object() {
        assert_eq!(Naming::Encoded.read(MARKER), None);
        assert_ne!(Naming::Encoded.write(MARKER), MARKER);
    }
}
