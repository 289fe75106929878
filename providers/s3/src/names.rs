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
        assert_eq!(named("shop/", "photos"), "shop+/photos/");
        assert_eq!(named("", "a/b"), "a+/b/");
        assert_eq!(named("", "a b"), "=YSBi/");
    }

    #[test]
    fn the_marker_is_no_object() {
        assert_eq!(Naming::Encoded.read(MARKER), None);
        assert_ne!(Naming::Encoded.write(MARKER), MARKER);
    }
}
