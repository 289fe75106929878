//! Imports `example:nothing/thing@1.0.0`, which no host serves.

use guest_support::{Answer, Request};

wit_bindgen::generate!({
    path: "wit",
    world: "example:nothing/imports",
    generate_all,
});

guest_support::serve_http!(handle);

fn handle(_request: Request) -> Answer {
    Answer::text(example::nothing::thing::ask())
}
