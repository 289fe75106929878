use std::time::{Duration, Instant};

use slight_capabilities::Result;

use crate::repeats::Repeats;

/// How long nothing is said of a denial that was just logged.
const QUIET: Duration = Duration::from_secs(60);
/// How many denials are told apart. Names are the guest's, so there is no end to them.
const REMEMBERED: usize = 256;
/// The most of a sentence that is logged, in bytes: the name in it may be of any length.
const LONGEST: usize = 1024;

/// Logs what guests are denied, with what an operator has to write to allow it; each but once a minute, since a guest may
/// try again in a loop.
pub(crate) struct Denials(Repeats);

impl Default for Denials {
    fn default() -> Self {
        Self(Repeats::new(QUIET, REMEMBERED))
    }
}

impl Denials {
    /// Logs why it was denied, if it was.
    pub fn note<T>(&self, checked: Result<T>) -> Result<T> {
        checked.inspect_err(|error| self.log(error.message()))
    }

    /// Logs a denial.
    pub fn log(&self, sentence: &str) {
        if self.is_new(sentence, Instant::now()) {
            tracing::warn!("{}", sentence.get(..sentence.floor_char_boundary(LONGEST)).unwrap_or(sentence));
        }
    }

    fn is_new(&self, sentence: &str, now: Instant) -> bool {
        self.0.note(sentence, now).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_denial_is_said_once_a_minute() {
        let (denials, now) = (Denials::default(), Instant::now());
        assert!(denials.is_new("a", now));
        assert!(denials.is_new("b", now));
        assert!(!denials.is_new("a", now + QUIET / 2));
        assert!(denials.is_new("a", now + QUIET));
    }

    #[test]
    fn a_flood_of_names_ends_and_does_not_silence_those_after_it() {
        let (denials, now) = (Denials::default(), Instant::now());
        let said = (0..10 * REMEMBERED).filter(|number| denials.is_new(&number.to_string(), now)).count();
        assert_eq!(said, REMEMBERED);
        assert!(denials.is_new("a", now + QUIET));
    }
}
