use slight_capabilities::{Error, Result, check_prefix};

/// A place in S3: a bucket, and what the keys in it begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Location {
    pub(crate) bucket: String,
    /// Empty, or with a slash at its end.
    pub(crate) prefix: String,
}

impl Location {
    /// Reads a location of ours, from the setting `what`.
    ///
    /// # Errors
    /// `Invalid` for what S3 would not take, or a prefix that would have to be encoded.
    pub(crate) fn parse(what: &str, text: &str) -> Result<Self> {
        let location = Self::split(text);
        if !is_bucket(&location.bucket) {
            return Err(Error::invalid(format!(
                "{what} is {text:?}; it must be the name of an S3 bucket, of 3 to 63 characters a-z 0-9 . and -"
            )));
        }
        check_prefix(&location.prefix).map_err(|error| Error::invalid(format!("{what}: {}", error.message())))?;
        Ok(location)
    }

    /// Reads a location of another program. `None` for what is no location.
    pub(crate) fn existing(text: &str) -> Option<Self> {
        Some(Self::split(text)).filter(|location| is_bucket(&location.bucket))
    }

    fn split(text: &str) -> Self {
        let (bucket, prefix) = text.split_once('/').unwrap_or((text, ""));
        let slash = if prefix.is_empty() || prefix.ends_with('/') { "" } else { "/" };
        Self { bucket: bucket.to_owned(), prefix: format!("{prefix}{slash}") }
    }

    /// Whether a key may be in both.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        let within = self.prefix.starts_with(&other.prefix) || other.prefix.starts_with(&self.prefix);
        self.bucket == other.bucket && within
    }

    /// A key of the location.
    pub(crate) fn key(&self, rest: &str) -> String {
        format!("{}{rest}", self.prefix)
    }
}

/// Names as S3 takes them, and such as its compatibles and its past have taken; what these refuse, they say.
fn is_bucket(name: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:".contains(&byte);
    (3..=255).contains(&name.len()) && name.bytes().all(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_may_have_a_prefix_behind_it() {
        let parse = |text| Location::parse("location", text).map(|location| (location.bucket, location.prefix));
        assert_eq!(parse("photos").ok(), Some(("photos".into(), String::new())));
        for text in ["photos/shop/a", "photos/shop/a/"] {
            assert_eq!(parse(text).ok(), Some(("photos".into(), "shop/a/".into())));
        }
        for text in ["", "a", "pho tos", "photos//", "photos/a b", "photos/..", "/photos"] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn locations_overlap_where_one_is_within_the_other() {
        let overlap = |one: &str, other: &str| Location::split(one).overlaps(&Location::split(other));
        assert!(overlap("photos", "photos/a") && overlap("photos/a/b", "photos/a") && overlap("photos", "photos"));
        assert!(!overlap("photos", "photos2/a") && !overlap("photos/a", "photos/ab"));
    }
}
