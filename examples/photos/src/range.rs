//! The header `Range` of a request (RFC 9110, section 14).

use wstd::http::HeaderValue;

/// Which bytes are wanted.
#[derive(Debug, PartialEq)]
pub enum Wanted {
    Whole,
    /// From `start` up to and including `end`, both inside the object.
    Part {
        start: u64,
        end: u64,
    },
    /// Bytes that the object does not have.
    Nothing,
}

/// Reads the header for an object of `total` bytes. As the RFC allows, one that is not understood, or asks for
/// several ranges, is answered with the whole object.
pub fn parse(header: Option<&HeaderValue>, total: u64) -> Wanted {
    header
        .and_then(|value| value.to_str().ok()?.strip_prefix("bytes=")?.split_once('-'))
        .and_then(|(first, last)| part(first.trim(), last.trim(), total))
        .unwrap_or(Wanted::Whole)
}

fn part(first: &str, last: &str, total: u64) -> Option<Wanted> {
    let (start, end) = match (first, last) {
        ("", suffix) => match suffix.parse().ok()? {
            0 => return Some(Wanted::Nothing),
            length => (total.saturating_sub(length), u64::MAX),
        },
        (first, "") => (first.parse().ok()?, u64::MAX),
        (first, last) => (first.parse().ok()?, last.parse().ok()?),
    };
    if start > end {
        return None;
    }
    Some(match total.checked_sub(1) {
        Some(last) if start <= last => Wanted::Part { start, end: end.min(last) },
        _ => Wanted::Nothing,
    })
}
