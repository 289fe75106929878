use aws_lc_rs::digest::{SHA256, digest};
use base64::{
    Engine,
    engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD},
};
use slight_capabilities::QualifiedName;

/// The longest name that stands as it is. Names of streams end at 255 characters.
const MAX_LITERAL: usize = 100;

/// What the names of the object stores of a location begin with.
pub(super) fn bucket_prefix(location: &str) -> String {
    format!("{location}_")
}

/// The object store of a container: its name if that is made of the characters that names of streams may have, else a
/// hash of it after another underscore.
pub(super) fn bucket(location: &str, container: &QualifiedName) -> String {
    let encoded = container.encoded();
    let prefix = bucket_prefix(location);
    if encoded.len() <= MAX_LITERAL && !encoded.starts_with('_') && is_bucket(&encoded) {
        return format!("{prefix}{encoded}");
    }
    let hash = digest(&SHA256, encoded.as_bytes());
    format!("{prefix}_{}", URL_SAFE_NO_PAD.encode(hash))
}

/// Whether there can be an object store of this name.
pub(super) fn is_bucket(name: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    (1..=250).contains(&name.len()) && name.bytes().all(known)
}

/// Whether this can be what the subject of a content ends with. Another program may have written it into a description:
/// it must not lead to other subjects.
pub(super) fn is_id(id: &str) -> bool {
    !id.is_empty()
        && !id.contains(['*', '>'])
        && id.split('.').all(|part| !part.is_empty())
        && !id.contains(char::is_whitespace)
}

/// The stream of an object store.
pub(super) fn stream(bucket: &str) -> String {
    format!("OBJ_{bucket}")
}

/// The subjects of an object store. The first two are those of NATS's own clients.
pub(super) struct Subjects {
    /// What the subjects of contents begin with.
    chunks: String,
    /// What the subjects of descriptions begin with.
    metas: String,
    /// What the subjects of marks for uploads under way begin with.
    marks: String,
}

impl Subjects {
    pub(super) fn new(bucket: &str) -> Self {
        let subject = |kind: &str| format!("$O.{bucket}.{kind}.");
        Self { chunks: subject("C"), metas: subject("M"), marks: subject("U") }
    }

    pub(super) fn all(&self) -> Vec<String> {
        [&self.chunks, &self.metas, &self.marks].map(|kind| format!("{kind}>")).to_vec()
    }

    /// Of the content of one version of an object.
    pub(super) fn chunks(&self, id: &str) -> String {
        format!("{}{id}", self.chunks)
    }

    /// Of the description of an object.
    pub(super) fn meta(&self, object: &str) -> String {
        format!("{}{}", self.metas, URL_SAFE.encode(object))
    }

    /// Of all descriptions.
    pub(super) fn metas(&self) -> String {
        format!("{}*", self.metas)
    }

    /// The object that a subject describes.
    pub(super) fn object(&self, meta: &str) -> Option<String> {
        let name = URL_SAFE.decode(meta.strip_prefix(&self.metas)?).ok()?;
        String::from_utf8(name).ok()
    }

    /// Of the mark for an upload.
    pub(super) fn mark(&self, id: &str) -> String {
        format!("{}{id}", self.marks)
    }

    /// Of all marks.
    pub(super) fn marks(&self) -> String {
        format!("{}*", self.marks)
    }

    /// The upload that a subject marks.
    pub(super) fn marked<'a>(&self, mark: &'a str) -> Option<&'a str> {
        mark.strip_prefix(&self.marks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_stand_as_they_are_and_others_are_told_apart() {
        assert_eq!(bucket("slight-blob", &"photos-2026".into()), "slight-blob_photos-2026");
        let long = "x".repeat(128);
        let odd = ["a/b", "a.b", "_a", "é", &long, "a b"];
        let buckets: std::collections::BTreeSet<_> = odd.iter().map(|name| bucket("l", &(*name).into())).collect();
        assert_eq!(buckets.len(), odd.len());
        for bucket in buckets {
            assert!(bucket.starts_with("l__") && is_bucket(&bucket), "{bucket}");
        }
    }

    #[test]
    fn no_two_containers_are_one_object_store() {
        let locations = ["a", "a-", "a-b", "OBJ"];
        let prefixes = ["", "b", "b-", "b/", "b.c", "b_"];
        let names = ["c", "-c", "_c", "b_c", "b=/c", "=/c", "c/d", "__x", "=", "OBJ_a_c"];
        let mut found = std::collections::HashMap::new();
        for location in locations {
            for name in prefixes.iter().flat_map(|prefix| names.map(|name| QualifiedName::new(*prefix, name))) {
                let bucket = bucket(location, &name);
                // The sweep of a location looks into none of another.
                for other in locations.iter().filter(|other| **other != location) {
                    assert!(!bucket.starts_with(&bucket_prefix(other)), "{bucket} of {location} and {other}");
                }
                assert_eq!(found.insert(bucket, (location, name.clone())), None, "{location} {name:?}");
            }
        }
    }

    #[test]
    fn what_a_description_says_of_its_content_leads_nowhere_else() {
        for odd in ["", "*", ">", "a.>", "a..b", ".", "a b", "a\r\n"] {
            assert!(!is_id(odd), "{odd:?}");
        }
        assert!(is_id("VBwQ5PyIyLTMUXeN4QSNLP") && is_id("a.b"));
    }

    #[test]
    fn the_name_of_an_object_comes_back_from_its_subject() {
        let subjects = Subjects::new("photos");
        for object in ["a", "a/b.c", "🦀*>", "\0"] {
            let subject = subjects.meta(object);
            assert!(subject.starts_with("$O.photos.M."), "{subject}");
            assert_eq!(subjects.object(&subject).as_deref(), Some(object));
        }
        assert_eq!(subjects.object("$O.photos.C.abc"), None);
    }
}
