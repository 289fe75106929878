//! wasi:logging, into the log of the host.

use std::borrow::Cow;

use wasmtime::Result;

use crate::{
    bindings::wasi::logging::logging::{Host, Level},
    state::State,
};

/// What one call may write into the log, of the message and of the context each.
const MOST: usize = 64 * 1024;

impl Host for State {
    async fn log(&mut self, level: Level, context: String, message: String) -> Result<()> {
        if !is_logged(level) {
            return Ok(());
        }
        let (context, message, from) = (shortened(&context), shortened(&message), self.origin.served());
        if !from.may_log(context.len() + message.len()) {
            return Ok(());
        }
        let (context, instance, serving) = (&*context, from.instance, from.serving.as_deref());
        match level {
            Level::Trace => tracing::trace!(target: "guest", context, instance, serving, "{message}"),
            Level::Debug => tracing::debug!(target: "guest", context, instance, serving, "{message}"),
            Level::Info => tracing::info!(target: "guest", context, instance, serving, "{message}"),
            Level::Warn => tracing::warn!(target: "guest", context, instance, serving, "{message}"),
            Level::Error => tracing::error!(target: "guest", context, instance, serving, "{message}"),
            Level::Critical => {
                tracing::error!(target: "guest", context, instance, serving, critical = true, "{message}")
            }
        }
        Ok(())
    }
}

/// Whether anybody reads entries of this level: the others cost nothing.
fn is_logged(level: Level) -> bool {
    match level {
        Level::Trace => tracing::enabled!(target: "guest", tracing::Level::TRACE),
        Level::Debug => tracing::enabled!(target: "guest", tracing::Level::DEBUG),
        Level::Info => tracing::enabled!(target: "guest", tracing::Level::INFO),
        Level::Warn => tracing::enabled!(target: "guest", tracing::Level::WARN),
        Level::Error | Level::Critical => tracing::enabled!(target: "guest", tracing::Level::ERROR),
    }
}

/// A text of at most [`MOST`] bytes, and how much is left out.
fn shortened(text: &str) -> Cow<'_, str> {
    let (shown, rest) = text.split_at(text.floor_char_boundary(MOST));
    match rest.len() {
        0 => shown.into(),
        left_out => format!("{shown} […{left_out} more bytes are left out]").into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(shortened("short"), "short");
        let whole = "x".repeat(MOST);
        assert_eq!(shortened(&whole), whole);
        let long = format!("{}äöü", "x".repeat(MOST - 1));
        assert_eq!(shortened(&long), format!("{} […6 more bytes are left out]", "x".repeat(MOST - 1)));
    }
}
