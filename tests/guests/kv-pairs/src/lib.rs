//! `wasi:keyvalue` 0.2.0-draft2 with the second shape of `batch.get-many`: `POST /batch/<bucket>` as the guest `kv` has
//! it, but each entry of the answer is `[key, value or null]`.

use guest_support::{Answer, Request, text};

wit_bindgen::generate!({
    path: "wit",
    world: "wasi:keyvalue/imports",
    generate_all,
});

guest_support::serve_http!(handle);
guest_support::key_value_calls!(|(key, value)| json!([key, text(value)]));

fn handle(request: Request) -> Answer {
    let result = key_call(&request).unwrap_or_else(|| Ok(Answer::not_found("no such path")));
    result.unwrap_or_else(|error| Answer::error(case(&error)))
}
