//! `wasi:logging` 0.1.0-draft over HTTP: `POST /log/<level>?context=` logs the body, repeated `?times=`.

use guest_support::{Answer, Request};
use wasi::logging::logging::{Level, log};

wit_bindgen::generate!({
    path: "../../../wit/logging-0.1.0-draft",
    world: "wasi:logging/imports",
    generate_all,
});

guest_support::serve_http!(handle);

fn handle(request: Request) -> Answer {
    let segments = request.segments();
    let ["log", level] = segments.as_slice() else {
        return Answer::not_found("no such path");
    };
    let level = match *level {
        "trace" => Level::Trace,
        "debug" => Level::Debug,
        "info" => Level::Info,
        "warn" => Level::Warn,
        "error" => Level::Error,
        "critical" => Level::Critical,
        _ => return Answer::not_found("no such level"),
    };
    let message = String::from_utf8_lossy(&request.body()).repeat(request.number("times", 1));
    log(level, request.query("context").unwrap_or_default(), &message);
    Answer::text("ok")
}
