use std::{
    hash::{BuildHasher, RandomState},
    time::Duration,
};

use tokio::time::{Instant, sleep, timeout_at};

use crate::errors::Failure;

/// How often a request is sent at most.
const ATTEMPTS: u32 = 5;

/// The pauses between attempts: at most this long, and then twice as long each time.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// What may be done about a request whose answer was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lost {
    /// It is sent once more: twice is as good as once.
    SendAgain,
    /// The caller is told that the outcome is unknown.
    Report,
}

/// Sends a request until there is an answer, while there is time.
///
/// The SDK would send again by itself, whatever it is about and for longer than anybody waits; its own attempts are off.
pub(crate) async fn attempt<T, Asking>(deadline: Instant, lost: Lost, ask: impl Fn() -> Asking) -> Result<T, Failure>
where
    Asking: Future<Output = azure_core::Result<T>>,
{
    let mut repeated = false;
    let mut longest = FIRST_PAUSE;
    let mut attempts = 1;
    loop {
        let failure = match timeout_at(deadline, ask()).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(cause)) => Failure::of(cause, lost, repeated),
            Err(_) => return Err(Failure::late(lost, repeated)),
        };
        let unclear = failure.is_unclear();
        let again = failure.is_refused_for_now() || (unclear && lost == Lost::SendAgain);
        let pause = jittered(longest);
        if !again || attempts == ATTEMPTS || Instant::now() + pause >= deadline {
            return Err(failure);
        }
        sleep(pause).await;
        repeated |= unclear;
        longest *= 2;
        attempts += 1;
    }
}

/// Between half of it and all: those who failed at the same time do not try again at the same time.
pub(crate) fn jittered(longest: Duration) -> Duration {
    let part = (random() % 1024) as u32;
    longest / 2 + longest / 2048 * part
}

/// Each [`RandomState`] has keys of its own.
pub(crate) fn random() -> u64 {
    RandomState::new().hash_one(std::process::id())
}
