use std::{
    collections::BTreeMap,
    fmt::Display,
    io::{self, Write},
    sync::{Arc, LazyLock, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    runtime::{Builder, Runtime},
    sync::OnceCell,
};

use crate::{
    case::{Case, Patience, Scope, about, bounded},
    check::{Failure, Outcome},
    harness::{Connection, Harness, Target},
    report,
};

/// Shared by all tests of the process: a connection lives only as long as the runtime that it was made on.
static RUNTIME: LazyLock<io::Result<Runtime>> = LazyLock::new(|| Builder::new_multi_thread().enable_all().build());

/// With this environment variable set, cases that cannot be tried pass.
const ALLOW_SKIPS: &str = "SLIGHT_ALLOW_SKIPS";

/// For connecting, and for preparing: servers are started meanwhile.
const START: Duration = Duration::from_secs(120);

/// The cases of one capability, and the provider that they share.
pub struct Suite<S: 'static> {
    package: &'static str,
    module: &'static str,
    harness: fn() -> Arc<dyn Harness>,
    cases: &'static [Case<S>],
    target: OnceCell<Outcome<Target>>,
    outcomes: Mutex<BTreeMap<&'static str, Arc<OnceCell<Outcome>>>>,
}

impl<S: Scope> Suite<S> {
    /// A suite that connects when its first case runs; `package` and `module` are where its tests are.
    pub const fn new(
        package: &'static str,
        module: &'static str,
        harness: fn() -> Arc<dyn Harness>,
        cases: &'static [Case<S>],
    ) -> Self {
        Self { package, module, harness, cases, target: OnceCell::const_new(), outcomes: Mutex::new(BTreeMap::new()) }
    }

    async fn target(&self) -> Outcome<Target> {
        self.target.get_or_init(|| self.connect()).await.clone()
    }

    async fn connect(&self) -> Outcome<Target> {
        let (harness, calls) = ((self.harness)(), Arc::default());
        let connected = bounded("connecting", &calls, START, harness.connect()).await?;
        match connected.map_err(|error| Failure::from(error).within("connecting"))? {
            Connection::Missing(what) => Err(Failure::skipped(what)),
            Connection::Ready(provider) => {
                if let Some(capability) = S::CAPABILITY {
                    let what = format!("preparing {capability}");
                    let prepared = bounded(&what, &calls, START, provider.prepare(capability)).await?;
                    prepared.map_err(|error| Failure::from(error).within(what))?;
                }
                Ok(Target { provider, harness })
            }
        }
    }

    fn find(&self, name: &str) -> Outcome<&'static Case<S>> {
        let case = self.cases.iter().find(|case| case.name == name);
        case.ok_or_else(|| Failure::new(format!("there is no case {name}")))
    }

    /// What came of a case, which is run once.
    async fn outcome(&self, case: &'static Case<S>) -> Outcome {
        let cell = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner).entry(case.name).or_default().clone();
        cell.get_or_init(async || case.check(&self.target().await?, Patience::default()).await).await.clone()
    }

    /// Runs a case. Where it fails, and one that it rests on fails as well, only the deepest of them says why.
    ///
    /// # Errors
    /// Those of [`Case::check`].
    pub async fn check(&self, name: &str) -> Outcome {
        let case = self.find(name)?;
        let outcome = self.outcome(case).await;
        if outcome.as_ref().is_err_and(|failure| !failure.is_skip()) {
            for deeper in case.rests_on.iter().take_while(|deeper| **deeper != name) {
                if self.outcome(self.find(deeper)?).await.is_err_and(|failure| !failure.is_skip()) {
                    return Err(Failure::told(format!("rests on {deeper}, which failed: see there first")));
                }
            }
        }
        outcome
    }
}

/// Runs one case as a test.
pub fn run<S: Scope>(suite: &'static Suite<S>, name: &str) -> Outcome {
    let outcome = block_on(suite.check(name));
    report::add(&report::provider(suite.package, suite.module), about(S::CAPABILITY), name, &outcome)?;
    verdict(outcome, format_args!("{} {name}", about(S::CAPABILITY)))
}

/// Runs on the runtime that all tests of the process share.
pub(crate) fn block_on(running: impl Future<Output = Outcome>) -> Outcome {
    let runtime = RUNTIME.as_ref().map_err(|error| Failure::new(format!("no async runtime: {error}")))?;
    runtime.block_on(running)
}

/// Fails what could not be tried, as long as nobody has said that it may be skipped: a green test has tried something.
pub(crate) fn verdict(outcome: Outcome, what: impl Display) -> Outcome {
    judge(outcome, std::env::var_os(ALLOW_SKIPS).is_none(), |why| {
        // Not `eprintln!`: the test harness would swallow it, since the test passes.
        _ = writeln!(io::stderr(), "SKIPPED {what}: {why}");
    })
}

fn judge(outcome: Outcome, skips_fail: bool, say: impl FnOnce(Failure)) -> Outcome {
    match outcome {
        Err(failure) if failure.is_skip() && !skips_fail => {
            say(failure);
            Ok(())
        }
        Err(failure) if failure.is_skip() => Err(failure
            .within("nothing was tried")
            .and_then(&format!("\nWith {ALLOW_SKIPS}=1 set, what cannot be tried on this machine passes."))),
        outcome => outcome,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "all of it is a test")]
mod tests {
    use super::*;

    #[test]
    fn a_skip_is_said_and_passes_unless_skips_fail() {
        let skipped = || Err(Failure::skipped("no server"));
        let mut said = Vec::new();
        assert!(judge(skipped(), false, |why| said.push(why.to_string())).is_ok());
        assert_eq!(said, ["no server"]);
        let failed = judge(skipped(), true, |why| said.push(why.to_string())).unwrap_err().to_string();
        assert!(failed.contains("no server") && failed.contains(ALLOW_SKIPS), "{failed}");
        assert_eq!(said.len(), 1);
    }

    #[test]
    fn a_failure_fails_everywhere() {
        for skips_fail in [false, true] {
            assert!(judge(Err(Failure::new("wrong")), skips_fail, |_| panic!("nothing was skipped")).is_err());
        }
    }
}
