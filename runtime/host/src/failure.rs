//! What the log says of a guest that failed.

use wasmtime::{Error, WasmBacktrace};

/// In one line: why it failed, and in which function where that is known. The whole trace goes to the debug log.
///
/// A trace of the host's own stack, which errors carry when `RUST_BACKTRACE` is set, says nothing about a guest and is
/// not shown.
pub(crate) fn describe(error: &Error) -> String {
    let cause = error.root_cause();
    let Some(trace) = error.downcast_ref::<WasmBacktrace>() else { return cause.to_string() };
    tracing::debug!("{cause}\n{trace}");
    let function = trace.frames().iter().find_map(|frame| frame.func_name());
    match function {
        Some(function) => format!("{cause} (in {function})"),
        None => cause.to_string(),
    }
}
