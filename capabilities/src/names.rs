use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{Error, Result};

/// The longest key or object name, in bytes of UTF-8.
pub const MAX_KEY_BYTES: usize = 512;

/// The longest name of a bucket, container, client, topic or group, in bytes of UTF-8.
pub const MAX_NAME_BYTES: usize = 128;

/// Starts every encoded name. No literal name starts with it, and every backend takes it.
const MARK: char = '=';

/// The longest segment between two `/`: file systems stop at 255 bytes, and providers add suffixes of their own.
const MAX_SEGMENT_BYTES: usize = 200;

/// Ends the prefix of an encoded name. No prefix holds a `=`, and an encoded name holds one at its start alone, so that no
/// name under one prefix is a name under another, or under none.
const PREFIX_END: &str = "=/";

/// The name of a bucket, container or topic as the guest said it, with the prefix of its route.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QualifiedName {
    /// Put before the encoded name in the backend. Made of the characters that need no encoding.
    pub prefix: String,
    /// What the guest said.
    pub name: String,
}

impl QualifiedName {
    /// A name under a prefix.
    pub fn new(prefix: impl Into<String>, name: impl Into<String>) -> Self {
        Self { prefix: prefix.into(), name: name.into() }
    }

    /// How the name is written in the backend, below the location: the encoded name, after the prefix and `=/` where there
    /// is a prefix (`shop=/sessions`). Two qualified names that differ are never written alike.
    pub fn encoded(&self) -> String {
        let name = encode_name(&self.name);
        if self.prefix.is_empty() { name } else { format!("{}{PREFIX_END}{name}", self.prefix) }
    }
}

impl From<&str> for QualifiedName {
    fn from(name: &str) -> Self {
        Self::new("", name)
    }
}

/// Checks a key or object name: 1 to [`MAX_KEY_BYTES`] bytes of UTF-8, any content.
///
/// # Errors
/// `Invalid`, naming `what` (for example `"key"`).
pub fn check_key(what: &str, name: &str) -> Result<()> {
    check_length(what, name, MAX_KEY_BYTES)
}

/// Checks the name of a bucket, container, client, topic or group: 1 to [`MAX_NAME_BYTES`] bytes of UTF-8.
///
/// # Errors
/// `Invalid`, naming `what` (for example `"bucket name"`).
pub fn check_name(what: &str, name: &str) -> Result<()> {
    check_length(what, name, MAX_NAME_BYTES)
}

/// Checks a route's prefix: at most [`MAX_NAME_BYTES`] of the characters that every backend takes as they are, in a
/// form that stays literal when a name is put behind it (`shop`, `shop-`, `team/shop/`).
///
/// # Errors
/// `Invalid`, with the characters allowed.
pub fn check_prefix(prefix: &str) -> Result<()> {
    let literal = prefix.is_empty() || is_literal(prefix.strip_suffix('/').unwrap_or(prefix));
    if literal && prefix.len() <= MAX_NAME_BYTES {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "the prefix {prefix:?} must be at most {MAX_NAME_BYTES} characters of A-Z a-z 0-9 _ - with single dots and \
         slashes between them (a slash may end it)"
    )))
}

fn check_length(what: &str, name: &str, limit: usize) -> Result<()> {
    match name.len() {
        0 => Err(Error::invalid(format!("the {what} is empty; it must have 1 to {limit} bytes"))),
        n if n > limit => Err(Error::invalid(format!("the {what} has {n} bytes; it may have at most {limit}"))),
        _ => Ok(()),
    }
}

/// Writes any name in characters that every backend keeps as they are: `A-Z a-z 0-9 _ - . / =`.
///
/// A name whose every `/`-separated segment is 1 to 200 bytes of `A-Za-z0-9_-` with single inner dots stays as it is,
/// so that people recognise their names in the backend. Any other name becomes, whole, `=` and its base64url form
/// without padding, in segments of at most 200 bytes. Both forms are at most 688 bytes for names of 512. Why each
/// restriction: S3 keys end at 1,024 bytes, SeaweedFS folds `//` and rewrites `\`, Azure normalises `..`, NATS keys
/// have this small charset.
pub fn encode_name(name: &str) -> String {
    if is_literal(name) {
        return name.to_owned();
    }
    let digits = URL_SAFE_NO_PAD.encode(name);
    let mut encoded = String::with_capacity(digits.len() + 1 + digits.len() / MAX_SEGMENT_BYTES);
    encoded.push(MARK);
    // The mark takes one byte of the first segment.
    let mut room = MAX_SEGMENT_BYTES - 1;
    for digit in digits.chars() {
        if room == 0 {
            encoded.push('/');
            room = MAX_SEGMENT_BYTES;
        }
        encoded.push(digit);
        room -= 1;
    }
    encoded
}

/// Reads what [`encode_name`] wrote; `None` for anything that it would not have written.
pub fn decode_name(encoded: &str) -> Option<String> {
    let name = match encoded.strip_prefix(MARK) {
        None => encoded.to_owned(),
        Some(rest) => {
            let digits: String = rest.chars().filter(|c| *c != '/').collect();
            String::from_utf8(URL_SAFE_NO_PAD.decode(digits).ok()?).ok()?
        }
    };
    (encode_name(&name) == encoded).then_some(name)
}

fn is_literal(name: &str) -> bool {
    name.split('/').all(is_literal_segment)
}

fn is_literal_segment(segment: &str) -> bool {
    // Splitting at dots leaves an empty part exactly where a dot is first, last or doubled.
    segment.len() <= MAX_SEGMENT_BYTES
        && segment
            .split('.')
            .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_stay_readable() {
        for name in ["a", "users/42/avatar.png", "A_b-c.d.e", "-", "2026-11-22"] {
            assert_eq!(encode_name(name), name);
        }
    }

    #[test]
    fn odd_names_are_encoded_and_come_back() {
        let long = "x".repeat(MAX_KEY_BYTES);
        let emoji = "🦀".repeat(128);
        let odd = [
            "",
            ".",
            "..",
            "a//b",
            "/a",
            "a/",
            "a..b",
            ".a",
            "a.",
            "a b",
            "%2F",
            "a\\b",
            "=YQ",
            "*",
            "a:b",
            "\0",
            "é",
            long.as_str(),
            emoji.as_str(),
        ];
        for name in odd {
            let encoded = encode_name(name);
            assert!(encoded.starts_with(MARK), "{name:?}");
            assert!(encoded.split('/').all(|s| s.len() <= MAX_SEGMENT_BYTES), "{name:?}");
            assert!(encoded.len() <= 688, "{name:?}");
            assert_eq!(decode_name(&encoded).as_deref(), Some(name));
        }
    }

    #[test]
    fn what_the_codec_would_not_write_is_not_read() {
        for encoded in ["=YQ", "=YR", "=****", "a//b", "=Li4=", "=L/i4"] {
            assert_eq!(decode_name(encoded), None, "{encoded:?}");
        }
        assert_eq!(decode_name("=Li4").as_deref(), Some(".."));
    }

    #[test]
    fn no_two_qualified_names_are_written_alike() {
        let prefixes = ["", "shop", "shop-", "shop/", "shop/x", "shop/x/", "a"];
        let names =
            ["", "a", "-a", "x/a", "/a", "shop-a", "shop=/a", "shop/=/a", "=/a", "=YQ", "shop", "shop=/shop=/a"];
        let qualified = prefixes.iter().flat_map(|prefix| names.map(|name| QualifiedName::new(*prefix, name)));
        let qualified: Vec<_> = qualified.filter(|name| check_prefix(&name.prefix).is_ok()).collect();
        let written: std::collections::BTreeSet<_> = qualified.iter().map(QualifiedName::encoded).collect();
        assert_eq!(written.len(), qualified.len());
        assert_eq!(QualifiedName::new("shop", "a b").encoded(), "shop=/=YSBi");
    }

    #[test]
    fn prefixes_are_literal() {
        for prefix in ["", "shop", "shop-", "team/shop/"] {
            assert!(check_prefix(prefix).is_ok(), "{prefix:?}");
        }
        for prefix in ["/", "a//", "a b", "..", "=", "é"] {
            assert!(check_prefix(prefix).is_err(), "{prefix:?}");
        }
    }
}
