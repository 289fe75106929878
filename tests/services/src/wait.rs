use std::{
    thread,
    time::{Duration, Instant},
};

/// By when anything that is waited for has happened. Generous: it is only ever reached by a failing test.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// How long one answer may take.
pub(crate) const ANSWER: Duration = Duration::from_secs(5);

const INTERVAL: Duration = Duration::from_millis(5);

/// Asks again until there is an answer; `None` when there was none by the deadline.
pub(crate) fn eventually<T>(mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + DEADLINE;
    loop {
        let answer = ask();
        if answer.is_some() || Instant::now() > end {
            return answer;
        }
        thread::sleep(INTERVAL);
    }
}
