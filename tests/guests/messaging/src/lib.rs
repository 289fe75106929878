//! Publishes, asks and receives with `wasi:messaging` 0.2.0-draft, steered over HTTP and by what the
//! messages say; the paths and the metadata are in `tests/guests/README.md`.

mod handler;
mod publishing;
mod record;

use guest_support::{Answer, Request};
use wasi::messaging::types::Error;

wit_bindgen::generate!({
    path: ["../../../wit/messaging-0.2.0-draft", "../../../wit/keyvalue-0.2.0-draft2"],
    inline: "
        package test:messaging;

        world all {
            include wasi:keyvalue/imports@0.2.0-draft2;
            include wasi:messaging/messaging-request-reply@0.2.0-draft;
        }
    ",
    world: "test:messaging/all",
    generate_all,
});

guest_support::serve_http!(handle);
export!(MessageHandler);

struct MessageHandler;

fn handle(request: Request) -> Answer {
    let method = request.method();
    match (method.as_str(), request.segments().as_slice()) {
        ("POST", ["send", topic]) => Answer::of(publishing::send(topic, &request).map_err(case)),
        ("POST", ["request", topic]) => publishing::ask(topic, &request),
        ("GET", ["connect", client]) => Answer::of(publishing::connect(client).map_err(case)),
        ("GET", ["received"]) => record::all(),
        ("GET", ["received", id]) => record::one(id),
        ("GET", ["deliveries", id]) => record::deliveries(id),
        _ => Answer::not_found("no such path"),
    }
}

/// The error's WIT case, with the sentence if it has one.
fn case(error: Error) -> String {
    match error {
        Error::Timeout => "timeout".into(),
        Error::Connection(sentence) => format!("connection: {sentence}"),
        Error::PermissionDenied(sentence) => format!("permission-denied: {sentence}"),
        Error::Other(sentence) => format!("other: {sentence}"),
    }
}
