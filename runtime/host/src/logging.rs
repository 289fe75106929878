//! wasi:logging, into the log of the host.

use wasmtime::Result;

use crate::{
    bindings::wasi::logging::logging::{Host, Level},
    state::State,
};

impl Host for State {
    async fn log(&mut self, level: Level, context: String, message: String) -> Result<()> {
        let (context, message) = (one_line(context), one_line(message));
        match level {
            Level::Trace => tracing::trace!(target: "guest", context, "{message}"),
            Level::Debug => tracing::debug!(target: "guest", context, "{message}"),
            Level::Info => tracing::info!(target: "guest", context, "{message}"),
            Level::Warn => tracing::warn!(target: "guest", context, "{message}"),
            Level::Error => tracing::error!(target: "guest", context, "{message}"),
            Level::Critical => tracing::error!(target: "guest", context, critical = true, "{message}"),
        }
        Ok(())
    }
}

/// A guest must not be able to write what looks like a line of the host's.
fn one_line(text: String) -> String {
    if !text.contains(char::is_control) {
        return text;
    }
    let escape = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(escape).collect()
}
