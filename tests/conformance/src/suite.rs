use std::{
    fmt::Display,
    io::{self, Write},
    sync::{Arc, LazyLock},
};

use tokio::{
    runtime::{Builder, Runtime},
    sync::OnceCell,
};

use crate::{
    case::{Case, Patience, Scope},
    check::{Failure, Outcome},
    harness::{Connection, Harness, Target},
    report,
};

/// Shared by all tests of the process: a connection lives only as long as the runtime that it was made on.
static RUNTIME: LazyLock<io::Result<Runtime>> = LazyLock::new(|| Builder::new_multi_thread().enable_all().build());

/// The cases of one capability, and the provider that they share.
pub struct Suite<S: 'static> {
    package: &'static str,
    module: &'static str,
    harness: fn() -> Arc<dyn Harness>,
    cases: &'static [Case<S>],
    target: OnceCell<Outcome<Target>>,
}

impl<S: Scope> Suite<S> {
    /// A suite that connects when its first case runs; `package` and `module` are where its tests are.
    pub const fn new(
        package: &'static str,
        module: &'static str,
        harness: fn() -> Arc<dyn Harness>,
        cases: &'static [Case<S>],
    ) -> Self {
        Self { package, module, harness, cases, target: OnceCell::const_new() }
    }

    async fn target(&self) -> Outcome<Target> {
        self.target.get_or_init(|| self.connect()).await.clone()
    }

    async fn connect(&self) -> Outcome<Target> {
        let harness = (self.harness)();
        match harness.connect().await.map_err(|error| Failure::from(error).within("connecting"))? {
            Connection::Missing(what) => Err(Failure::skipped(what)),
            Connection::Ready(provider) => {
                let prepared = provider.prepare(S::CAPABILITY).await;
                prepared.map_err(|error| Failure::from(error).within("preparing"))?;
                Ok(Target { provider, harness })
            }
        }
    }

    async fn check(&self, name: &str) -> Outcome {
        let case = self.cases.iter().find(|case| case.name == name);
        let case = case.ok_or_else(|| Failure::new(format!("there is no case {name}")))?;
        case.check(&self.target().await?, Patience::default()).await
    }
}

/// Runs one case as a test.
pub fn run<S: Scope>(suite: &'static Suite<S>, name: &str) -> Outcome {
    let outcome = block_on(suite.check(name));
    report::add(&report::provider(suite.package, suite.module), S::CAPABILITY, name, &outcome)?;
    verdict(outcome, format_args!("{} {name}", S::CAPABILITY))
}

/// Runs on the runtime that all tests of the process share.
pub(crate) fn block_on(running: impl Future<Output = Outcome>) -> Outcome {
    let runtime = RUNTIME.as_ref().map_err(|error| Failure::new(format!("no async runtime: {error}")))?;
    runtime.block_on(running)
}

/// Lets what was skipped pass and says so, but not in CI, where everything is expected to be there.
pub(crate) fn verdict(outcome: Outcome, what: impl Display) -> Outcome {
    judge(outcome, std::env::var_os("CI").is_some(), |why| {
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
        outcome => outcome,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skip_is_said_and_passes_unless_skips_fail() {
        let skipped = || Err(Failure::skipped("no server"));
        let mut said = Vec::new();
        assert!(judge(skipped(), false, |why| said.push(why.to_string())).is_ok());
        assert_eq!(said, ["no server"]);
        assert!(judge(skipped(), true, |why| said.push(why.to_string())).is_err());
        assert_eq!(said.len(), 1);
    }

    #[test]
    fn a_failure_fails_everywhere() {
        for skips_fail in [false, true] {
            assert!(judge(Err(Failure::new("wrong")), skips_fail, |_| panic!("nothing was skipped")).is_err());
        }
    }
}
