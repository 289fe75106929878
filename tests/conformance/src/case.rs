use std::{any::Any, fmt, panic::AssertUnwindSafe, pin::Pin, time::Duration};

use futures_util::FutureExt;
use slight_capabilities::Capability;
use tokio::time::timeout;

use crate::{
    check::{Failure, Outcome},
    harness::Target,
};

/// No case is let run longer than this, whatever the provider does.
const LONGEST: Duration = Duration::from_secs(180);

/// How long cases wait.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// For what must happen. Only a failure waits this long.
    pub event: Duration,
    /// For what must not happen: that long nothing may come. Every proof of absence waits this long.
    pub quiet: Duration,
}

impl Default for Patience {
    /// For real servers on busy machines.
    fn default() -> Self {
        Self { event: Duration::from_secs(30), quiet: Duration::from_millis(500) }
    }
}

/// What the cases of one suite work on: the capability, and the record of all that is to be removed.
pub trait Scope: Send + Sync + Sized + 'static {
    /// What the suite is about.
    const CAPABILITY: Capability;

    /// Takes the capability from the provider; `None` if it has none.
    fn new(target: &Target, patience: Patience) -> Option<Self>;

    /// Removes whatever was made in this scope.
    fn clean_up(&self) -> impl Future<Output = Outcome>;
}

type Running<'a> = Pin<Box<dyn Future<Output = Outcome> + 'a>>;

/// One case: what a bullet of a contract says, to be tried on a provider.
pub struct Case<S: 'static> {
    /// The bold words of the bullet, in snake case.
    pub name: &'static str,
    run: for<'a> fn(&'a S) -> Running<'a>,
}

impl<S: Scope> Case<S> {
    pub(crate) const fn new(name: &'static str, run: for<'a> fn(&'a S) -> Running<'a>) -> Self {
        Self { name, run }
    }

    /// Tries the case on a provider, and cleans up.
    ///
    /// # Errors
    /// What the provider did otherwise; also when it panicked or did not come to an end.
    pub async fn check(&self, target: &Target, patience: Patience) -> Outcome {
        let Some(scope) = S::new(target, patience) else {
            return Err(Failure::new(format!("expected a provider of {}, found none", S::CAPABILITY)));
        };
        let outcome = guarded((self.run)(&scope)).await;
        let cleaned = guarded(scope.clean_up()).await;
        outcome.and(cleaned.map_err(|failure| failure.within("cleaning up")))
    }
}

impl<S> fmt::Debug for Case<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

pub(crate) async fn guarded(running: impl Future<Output = Outcome>) -> Outcome {
    match timeout(LONGEST, AssertUnwindSafe(running).catch_unwind()).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(panic)) => Err(Failure::new(format!("expected no panic, found {:?}", panic_message(&*panic)))),
        Err(_) => Err(Failure::new(format!("expected an end, found none within {LONGEST:?}"))),
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without a message")
}
