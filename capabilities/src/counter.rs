use crate::{Error, Result};

/// Reads a counter as it is stored: canonical decimal ASCII of an `i64`.
///
/// `+1`, `01`, `-0`, the empty value and anything else that [`ToString`] would not write are `None`: Redis's
/// `INCRBY` takes the same strings and no others, so that every backend agrees.
pub fn parse_counter(value: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(value).ok()?;
    let number: i64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

/// What a counter holds after `delta` was added to `current` (`None`: absent, counts as zero).
///
/// # Errors
/// `Invalid` when `current` is no counter, or when the sum does not fit an `i64`.
pub fn add_to_counter(key: &str, current: Option<&[u8]>, delta: i64) -> Result<i64> {
    let number = match current {
        None => 0,
        Some(value) => parse_counter(value)
            .ok_or_else(|| Error::invalid(format!("the value of key {key:?} is not a decimal 64-bit integer")))?,
    };
    number
        .checked_add(delta)
        .ok_or_else(|| Error::invalid(format!("adding {delta} to the counter {key:?} would overflow 64 bits")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_canonical_decimals_are_counters() {
        for (text, number) in [("0", 0), ("-7", -7), ("9223372036854775807", i64::MAX)] {
            assert_eq!(parse_counter(text.as_bytes()), Some(number));
        }
        for text in ["", "+1", "01", "-0", " 1", "1 ", "1.0", "9223372036854775808", "x"] {
            assert_eq!(parse_counter(text.as_bytes()), None, "{text:?}");
        }
    }
}
