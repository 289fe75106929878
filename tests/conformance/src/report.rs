use std::{
    env,
    ffi::OsStr,
    fmt::{Display, Write as _},
    fs::OpenOptions,
    io::Write as _,
};

use crate::check::{Failure, Outcome};

/// Names a file that gets a line for every case that ran: provider, capability, how it ended, and the case, with tabs. The
/// cases of the provider itself have `provider` for a capability.
const FILE: &str = "SLIGHT_CONFORMANCE_REPORT";

/// Adds a case to the report, if one is asked for.
pub(crate) fn add(provider: &str, about: impl Display, case: &str, outcome: &Outcome) -> Outcome {
    match env::var_os(FILE) {
        Some(file) => append(&file, &line(provider, about, case, outcome)),
        None => Ok(()),
    }
}

fn append(file: &OsStr, line: &str) -> Outcome {
    // In one write, at whatever is the end then: lines of cases that run at the same time do not mix.
    let written =
        OpenOptions::new().create(true).append(true).open(file).and_then(|mut to| to.write_all(line.as_bytes()));
    written.map_err(|error| Failure::new(format!("cannot write to {FILE}={}: {error}", file.display())))
}

fn line(provider: &str, about: impl Display, case: &str, outcome: &Outcome) -> String {
    let ended = match outcome {
        Ok(()) => "passed",
        Err(failure) if failure.is_skip() => "skipped",
        Err(_) => "failed",
    };
    format!("{provider}\t{about}\t{ended}\t{case}\n")
}

/// What a provider is called, from its crate and the module that its suite is in: `redis`, or `redis (cluster)` where
/// the tests have a module for each of several backends.
pub(crate) fn provider(package: &str, module: &str) -> String {
    let mut name = package.strip_prefix("slight-provider-").unwrap_or(package).to_owned();
    // <test file>::<backend>::<suite>
    let backend = module.rsplit_once("::").and_then(|(path, _)| path.split_once("::")).map(|(_, backend)| backend);
    if let Some(backend) = backend.filter(|backend| *backend != name) {
        // Writing to a string cannot fail.
        _ = write!(name, " ({backend})");
    }
    name
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "all of it is a test")]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_how_a_case_ended() {
        let line = |outcome| line("redis (cluster)", "key-value", "set_overwrites", &outcome);
        assert_eq!(line(Ok(())), "redis (cluster)\tkey-value\tpassed\tset_overwrites\n");
        assert_eq!(line(Err(Failure::skipped("no"))), "redis (cluster)\tkey-value\tskipped\tset_overwrites\n");
        assert_eq!(line(Err(Failure::new("no"))), "redis (cluster)\tkey-value\tfailed\tset_overwrites\n");
    }

    #[test]
    fn a_provider_is_called_after_its_crate_and_its_backends_after_their_modules() {
        assert_eq!(provider("slight-provider-redis", "conformance::redis::key_value"), "redis");
        assert_eq!(provider("slight-provider-redis", "conformance::cluster::key_value"), "redis (cluster)");
        assert_eq!(provider("slight-provider-redb", "conformance::messaging"), "redb");
        assert_eq!(provider("mydb", "conformance::blob"), "mydb");
    }

    #[test]
    fn cases_that_run_at_the_same_time_write_whole_lines() {
        let file = env::temp_dir().join(crate::names::unique());
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let line = format!("{}\n", thread.to_string().repeat(200));
                let file = file.as_os_str();
                scope.spawn(move || (0..100).for_each(|_| append(file, &line).unwrap()));
            }
        });
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        assert_eq!(text.lines().count(), 800);
        assert!(text.lines().all(|line| line == line[..1].repeat(200)));
    }
}
