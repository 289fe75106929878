//! What the log says of failures.

use std::iter::successors;

use wasmtime::{Error, WasmBacktrace, component::ResourceTableError};

/// An error with all its causes, but for those that only say again what was said before them.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    for cause in successors(error.source(), |cause| cause.source()) {
        let cause = cause.to_string();
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

/// Of a guest, in one line: why it failed, and in which function where that is known. The whole trace goes to the debug log.
///
/// A trace of the host's own stack, which errors carry when `RUST_BACKTRACE` is set, says nothing about a guest and is
/// not shown.
pub(crate) fn describe(error: &Error) -> String {
    let cause = cause(error);
    let Some(trace) = error.downcast_ref::<WasmBacktrace>() else { return cause };
    tracing::debug!("{cause}\n{trace}");
    let function = trace.frames().iter().find_map(|frame| frame.func_name());
    match function {
        Some(function) => format!("{cause} (in {function})"),
        None => cause,
    }
}

/// Errors of the engine that stand for one of our limits name it.
fn cause(error: &Error) -> String {
    match error.downcast_ref::<ResourceTableError>() {
        Some(ResourceTableError::Full) => {
            "it holds more open resources than limits.handles allows: drop those no longer needed, or raise the limit"
                .to_owned()
        }
        _ => passed_too_much(error.root_cause().to_string()),
    }
}

/// wasmtime has no type for it that others could know it by.
fn passed_too_much(cause: String) -> String {
    if cause.starts_with("too much data is being copied between the host and the guest") {
        return "it passed more to the host in one call than limits.passed allows: pass it in several calls, or raise the \
                limit"
            .to_owned();
    }
    cause
}

#[cfg(test)]
mod tests {
    use super::*;
    use slight_capabilities as capabilities;

    #[test]
    fn the_log_has_every_cause_once() {
        let refused = || std::io::Error::other("connection refused (os error 111)");
        let silent = capabilities::Error::unavailable("the server does not answer").with_source(refused());
        assert_eq!(with_causes(&silent), "the server does not answer: connection refused (os error 111)");
        let telling = capabilities::Error::unavailable(format!("no connection: {}", refused())).with_source(refused());
        assert_eq!(with_causes(&telling), "no connection: connection refused (os error 111)");
    }
}
