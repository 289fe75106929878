//! How names are written in the names of blobs.
//!
//! An encoded name may have slashes, so that a slash alone does not tell where a bucket's name ends: the bucket `a/b` and
//! the key `a/b` of a bucket would meet. A colon is no part of any encoded name, and stands for the slashes of the first.

use slight_capabilities::{QualifiedName, decode_name, encode_name};

/// More slashes than this, and Azure might refuse the name: it has at most 254 parts.
const MAX_SLASHES: usize = 240;

/// What the names of all that is in a bucket or container begin with.
pub(crate) fn directory(name: &QualifiedName) -> String {
    format!("{}/", name.encoded().replace('/', ":"))
}

/// Names the blob that says that a container is there. It is in no directory.
pub(crate) fn marker(name: &QualifiedName) -> String {
    format!("{}:", name.encoded().replace('/', ":"))
}

/// How a key or an object is written within its directory.
pub(crate) fn write(name: &str) -> String {
    let encoded = encode_name(name);
    if encoded.matches('/').count() > MAX_SLASHES { encoded.replace('/', ":") } else { encoded }
}

/// Reads what [`write`] wrote; `None` for anything that it would not have written.
pub(crate) fn read(written: &str) -> Option<String> {
    let name = decode_name(&written.replace(':', "/"))?;
    (write(&name) == written).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_directory_is_the_start_of_anothers_names() {
        let prefixes = ["", "a", "a-", "a/", "a/b", "ab"];
        let names = ["a", "a/b", "-a", "A", "a:b", "a:", "a/", "ab", "a=/b", "=", "=/a", ".", "a b"];
        let all = prefixes.iter().flat_map(|prefix| names.map(|name| QualifiedName::new(*prefix, name)));
        let all: Vec<_> = all.collect();
        for one in &all {
            for other in all.iter().filter(|other| *other != one) {
                assert!(!directory(one).starts_with(&directory(other)), "{one:?} {other:?}");
                assert!(!marker(one).starts_with(&directory(other)), "{one:?} {other:?}");
                assert_ne!(marker(one), marker(other));
            }
        }
        assert_eq!(directory(&QualifiedName::new("team/shop/", "carts")), "team:shop:=:carts/");
    }

    #[test]
    fn names_come_back_and_have_few_parts() {
        let deep = format!("{}b", "a/".repeat(255));
        let longest = "🦀".repeat(128);
        for name in ["users/42", "a", "..", "a//b", "a:b", deep.as_str(), longest.as_str()] {
            let written = write(name);
            assert_eq!(read(&written).as_deref(), Some(name));
            assert!(written.matches('/').count() <= MAX_SLASHES, "{name:?}");
        }
        for foreign in ["a:b", "=YR", "a//b", ""] {
            assert_eq!(read(foreign), None, "{foreign:?}");
        }
    }
}
