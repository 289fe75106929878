use std::io::{IsTerminal, stderr};

use tracing_subscriber::{EnvFilter, fmt};

use crate::args::LogFormat;

/// Names what is logged, in the syntax of `tracing_subscriber::EnvFilter`.
const VARIABLE: &str = "SLIGHT_LOG";
/// What is logged unless the variable says otherwise: what concerns an operator, and what guests log.
const DEFAULT: &str = "warn,slight=info,slight_runtime=info,guest=info";

/// Starts the log on stderr.
pub fn start(format: LogFormat) {
    let said = std::env::var(VARIABLE).unwrap_or_default();
    let (filter, mistake) = match EnvFilter::try_new(if said.is_empty() { DEFAULT } else { &said }) {
        Ok(filter) => (filter, None),
        Err(error) => (EnvFilter::new(DEFAULT), Some(error)),
    };
    let log = fmt().with_env_filter(filter).with_writer(stderr);
    match format {
        LogFormat::Text => log.with_ansi(colours()).init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
    if let Some(error) = mistake {
        tracing::warn!("{VARIABLE} is not understood ({error}); logging as if it were not set");
    }
}

/// On a terminal, unless NO_COLOR is set to anything.
fn colours() -> bool {
    stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
