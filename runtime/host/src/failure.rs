//! What the log says of a guest that failed.

use wasmtime::{Error, WasmBacktrace, component::ResourceTableError};

/// In one line: why it failed, and in which function where that is known. The whole trace goes to the debug log.
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
        _ => error.root_cause().to_string(),
    }
}
