//! wasi:logging, into the log of the host.

use wasmtime::Result;

use crate::{
    bindings::wasi::logging::logging::{Host, Level},
    state::State,
};

impl Host for State {
    async fn log(&mut self, level: Level, context: String, message: String) -> Result<()> {
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
