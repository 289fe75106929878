use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{Error, Result};

/// One page of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// What is on the page: at most [`MAX_PAGE`](crate::MAX_PAGE). Only the last page may be empty.
    pub items: Vec<T>,
    /// Where the next page starts; `None` on the last one.
    pub next: Option<Cursor>,
}

/// Where a listing goes on: opaque to callers, stateless for providers.
///
/// A cursor is written by [`Cursor::new`] and read by [`Cursor::payload`], both with the same *scope*: the provider's
/// tag and whatever else the position belongs to (its bucket). A checksum over both makes a cursor that is cut,
/// changed, or from elsewhere an `Invalid` error, never a wrong page.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Cursor(String);

impl Cursor {
    /// A cursor that carries `payload`, valid within `scope` (for example `["memory", bucket]`).
    pub fn new(scope: &[&str], payload: &[u8]) -> Self {
        let mut bytes = checksum(scope, payload).to_be_bytes().to_vec();
        bytes.extend_from_slice(payload);
        Self(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// What the cursor carries.
    ///
    /// # Errors
    /// `Invalid` when it was not made by [`Cursor::new`] with the same scope.
    pub fn payload(&self, scope: &[&str]) -> Result<Vec<u8>> {
        let invalid = || Error::invalid("the cursor was not made by this listing; start again without one");
        let bytes = URL_SAFE_NO_PAD.decode(&self.0).map_err(|_| invalid())?;
        let (sum, payload) = bytes.split_first_chunk::<4>().ok_or_else(invalid)?;
        if u32::from_be_bytes(*sum) != checksum(scope, payload) {
            return Err(invalid());
        }
        Ok(payload.to_vec())
    }

    /// The cursor as text, to hand to a guest.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for Cursor {
    /// Takes back what [`Cursor::as_str`] gave out; it is checked when it is used.
    fn from(text: String) -> Self {
        Self(text)
    }
}

fn checksum(scope: &[&str], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    for part in scope {
        hasher.update(&(part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.update(payload);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn a_cursor_comes_back_in_its_own_scope_only() {
        let cursor = Cursor::new(&["memory", "a"], b"last key");
        let cursor = Cursor::from(cursor.as_str().to_owned());
        assert_eq!(cursor.payload(&["memory", "a"]).unwrap(), b"last key");
        for scope in [&["memory", "b"][..], &["redis", "a"], &["memorya"], &["memory"]] {
            assert_eq!(cursor.payload(scope).unwrap_err().kind(), ErrorKind::Invalid);
        }
    }

    #[test]
    fn a_made_up_cursor_is_invalid() {
        for text in ["", "x", "AAAAAA", "not base64!", "\u{1F980}"] {
            let error = Cursor::from(text.to_owned()).payload(&["memory"]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{text:?}");
        }
    }
}
