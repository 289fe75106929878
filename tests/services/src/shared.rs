use std::{
    collections::HashMap,
    env,
    io::{self, Write},
    sync::{Mutex, PoisonError},
};

use crate::{kind::Kind, program::Missing, server::Server};

/// One of each kind, for all tests of the process. Nothing drops it: the supervisor ends it with the process.
static SHARED: Mutex<Option<HashMap<&str, Server>>> = Mutex::new(None);

/// Where clients find a server that all tests of the process share: the user's own, if the kind's variable names one.
///
/// # Errors
/// [`Missing`] when none is named and the program is not there.
///
/// # Panics
/// When it does not start.
pub fn shared_url(kind: &'static Kind) -> Result<String, Missing> {
    if let Ok(url) = env::var(kind.url_variable) {
        return Ok(url);
    }
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    let servers = shared.get_or_insert_default();
    if !servers.contains_key(kind.name) {
        servers.insert(kind.name, Server::start(kind, &[])?);
    }
    Ok(servers[kind.name].url())
}

/// What was started; `None`, said on stderr, where the program is missing and the environment variable
/// `SLIGHT_ALLOW_SKIPS` is set.
///
/// # Panics
/// Where it is missing and nobody has said that tests may be skipped: a green test has tried something.
#[track_caller]
pub fn present<T>(started: Result<T, Missing>) -> Option<T> {
    match started {
        Ok(started) => Some(started),
        Err(missing) => {
            let allowed = env::var_os("SLIGHT_ALLOW_SKIPS").is_some();
            assert!(allowed, "{missing}\nWith SLIGHT_ALLOW_SKIPS=1 set, tests that need it pass without it.");
            // Not `eprintln!`: the test harness would swallow it, since the test passes.
            let _ = writeln!(io::stderr(), "SKIPPED {}: {missing}", std::panic::Location::caller());
            None
        }
    }
}
