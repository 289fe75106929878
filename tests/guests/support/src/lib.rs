//! What the test guests share: a plain, blocking view of `wasi:http` 0.2, so that a guest is a
//! function from [`Request`] to [`Answer`].

mod answer;
mod bytes;
mod config;
mod json;
mod key_value;
mod request;

pub use answer::{Answer, ResponseBody};
pub use bytes::{Digest, fill};
pub use json::{strings, text};
pub use request::{Request, read_chunk};

/// Exports `wasi:http/incoming-handler` from a `fn(Request) -> Answer`.
#[macro_export]
macro_rules! serve_http {
    ($handler:path) => {
        struct HttpServer;

        impl $crate::wasip2::exports::http::incoming_handler::Guest for HttpServer {
            fn handle(
                request: $crate::wasip2::http::types::IncomingRequest,
                out: $crate::wasip2::http::types::ResponseOutparam,
            ) {
                $handler($crate::Request::new(request)).send(out)
            }
        }

        $crate::wasip2::http::proxy::export!(HttpServer with_types_in $crate::wasip2);
    };
}

pub use {serde_json, wasip2};
