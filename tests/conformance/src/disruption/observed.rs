use std::{
    collections::BTreeSet,
    sync::Mutex,
    time::{Duration, Instant},
};

use slight_capabilities::{Error, ErrorKind, Result};

use super::{BOUND, Disruption};
use crate::check::{Failure, Outcome, described};

/// What callers see of a disruption.
#[derive(Debug, Default)]
pub(super) struct Observed {
    /// The kinds of the errors that calls ended with until the provider was whole again.
    pub errors: BTreeSet<&'static str>,
    /// How long it took to be whole again.
    pub whole_after: Duration,
    /// How much of what was there before is gone, and of how much.
    pub lost: (usize, usize),
}

/// The errors of the calls of one trial.
#[derive(Default)]
pub(super) struct Errors(Mutex<BTreeSet<&'static str>>);

impl Errors {
    /// Notes an error; true when the call succeeded.
    pub fn note<T>(&self, result: &Result<T>) -> bool {
        if let Err(error) = result {
            self.add(error);
        }
        result.is_ok()
    }

    pub fn add(&self, error: &Error) {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(kind(error));
    }

    pub fn all(&self) -> BTreeSet<&'static str> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }
}

fn kind(error: &Error) -> &'static str {
    match error.kind() {
        ErrorKind::NotFound => "not found",
        ErrorKind::AlreadyExists => "already exists",
        ErrorKind::Denied => "denied",
        ErrorKind::Conflict => "conflict",
        ErrorKind::Invalid => "invalid",
        ErrorKind::TooLarge => "too large",
        ErrorKind::Unavailable => "unavailable",
        ErrorKind::Timeout => "timeout",
        _ => "other",
    }
}

/// Repeats `round` until it succeeds `times` in a row; says after how long the first of these began.
pub(super) async fn whole_again<Round>(times: usize, mut round: impl FnMut() -> Round) -> Outcome<Duration>
where
    Round: Future<Output = Result<()>>,
{
    let began = Instant::now();
    let (mut since, mut good) = (began, 0);
    let mut last = String::new();
    while good < times {
        if began.elapsed() > BOUND {
            return Err(Failure::new(format!(
                "expected it to be whole again within {BOUND:?}; the last error: {last}"
            )));
        }
        let start = Instant::now();
        match round().await {
            Ok(()) => {
                if good == 0 {
                    since = start;
                }
                good += 1;
            }
            Err(error) => {
                (good, last) = (0, described(&error));
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
    Ok(since.duration_since(began))
}

/// Requires that no more is gone than the row says.
pub(super) fn lost_no_more<B>(row: &Disruption<B>, what: &str, lost: (usize, usize)) -> Outcome {
    if lost.0 > 0 && row.loss == super::Loss::Nothing {
        return Err(Failure::new(format!("expected all {} {what} from before, found {} of them gone", lost.1, lost.0)));
    }
    Ok(())
}
