use std::{
    any::Any,
    fmt,
    io::{self, Write},
    panic::AssertUnwindSafe,
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};

use futures_util::FutureExt;
use slight_capabilities::Capability;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use crate::{
    calls::Calls,
    check::{Failure, Outcome},
    harness::Target,
    watched::Watched,
};

/// No case is let run longer than this, whatever the provider does.
const LONGEST: Duration = Duration::from_secs(180);

/// How often it is said what a case is waiting for.
const NOTICE: Duration = Duration::from_secs(30);

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
    /// What the suite is about; `None` for the provider itself.
    const CAPABILITY: Option<Capability>;

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
    /// The cases that this one takes for granted, the deepest first: where one of them fails, this one says nothing new.
    pub(crate) rests_on: &'static [&'static str],
    run: for<'a> fn(&'a S) -> Running<'a>,
}

/// What a suite is called in reports.
pub(crate) fn about(capability: Option<Capability>) -> &'static str {
    capability.map_or("provider", Capability::name)
}

impl<S: Scope> Case<S> {
    pub(crate) const fn new(name: &'static str, run: for<'a> fn(&'a S) -> Running<'a>) -> Self {
        Self { name, rests_on: &[], run }
    }

    pub(crate) const fn resting_on(mut self, rests_on: &'static [&'static str]) -> Self {
        self.rests_on = rests_on;
        self
    }

    /// Tries the case on a provider, and cleans up.
    ///
    /// # Errors
    /// What the provider did otherwise; also when it panicked or did not come to an end.
    pub async fn check(&self, target: &Target, patience: Patience) -> Outcome {
        let calls = Arc::<Calls>::default();
        let provider = Watched::<dyn slight_capabilities::Provider>::new(target.provider.clone(), &calls);
        let target = Target { provider, harness: target.harness.clone() };
        let Some(scope) = S::new(&target, patience) else {
            return Err(Failure::new(format!("expected a provider of {}, found none", about(S::CAPABILITY))));
        };
        let outcome = watched(self.name, &calls, (self.run)(&scope)).await;
        let cleaned = watched(self.name, &calls, scope.clean_up()).await;
        outcome.and(cleaned.map_err(|failure| failure.within("cleaning up")))
    }
}

impl<S> fmt::Debug for Case<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Ends with a failure where the case panics.
pub(crate) async fn guarded(running: impl Future<Output = Outcome>) -> Outcome {
    watched("a case", &Arc::default(), running).await
}

/// The same for a case whose calls are kept track of: says from time to time which of them it waits for.
pub(crate) async fn watched(name: &str, calls: &Arc<Calls>, running: impl Future<Output = Outcome>) -> Outcome {
    bounded(name, calls, LONGEST, caught(running)).await?
}

async fn caught(running: impl Future<Output = Outcome>) -> Outcome {
    match AssertUnwindSafe(running).catch_unwind().await {
        Ok(outcome) => outcome,
        Err(panic) => Err(Failure::new(format!("expected no panic, found {:?}", panic_message(&*panic)))),
    }
}

/// Waits for `running`, not for longer than `longest`, and says meanwhile what is being waited for.
pub(crate) async fn bounded<T>(
    what: &str,
    calls: &Arc<Calls>,
    longest: Duration,
    running: impl Future<Output = T>,
) -> Outcome<T> {
    // A task of its own: it speaks also while the provider blocks the thread. It ends with this function.
    let mut notices = JoinSet::new();
    let (what_for, started, waiting) = (what.to_owned(), Instant::now(), calls.clone());
    notices.spawn(async move {
        loop {
            sleep(NOTICE).await;
            let waited = started.elapsed().as_secs();
            // Not `eprintln!`: the test harness would keep it until the end.
            _ = writeln!(io::stderr(), "WAITING in {what_for} for {waited} s: {}", waiting.waited_for());
        }
    });
    // It lives on until the calls that it waits for are told.
    let mut running = pin!(running);
    timeout(longest, running.as_mut()).await.map_err(|_| {
        Failure::new(format!("{what}: expected an end, found none within {longest:?}: {}", calls.waited_for()))
    })
}

fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without a message")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "all of it is a test")]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_case_that_does_not_end_fails_and_names_the_call_it_waits_for() {
        let calls = Arc::<Calls>::default();
        let hanging = async {
            calls.call("set \"key\" to 3 bytes", std::future::pending::<slight_capabilities::Result<()>>()).await?;
            Ok(())
        };
        let failure = watched("set_overwrites", &calls, hanging).await.unwrap_err().to_string();
        assert!(failure.contains("none within 180s: `set \"key\" to 3 bytes` since 180 s"), "{failure}");
    }
}
