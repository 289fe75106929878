//! A command and an HTTP handler in one component. The command succeeds if its argument is `succeed`, and traps
//! otherwise, as programs do that were never meant to be run so. Requests are answered without a body.

use wasip3::cli::environment;
use wasip3::http::types::{ErrorCode, Fields, Request, Response};
use wasip3::wit_future;

struct Both;

impl wasip3::exports::cli::run::Guest for Both {
    async fn run() -> Result<(), ()> {
        assert!(environment::get_arguments().iter().any(|argument| argument == "succeed"));
        Ok(())
    }
}

impl wasip3::exports::http::handler::Guest for Both {
    async fn handle(_request: Request) -> Result<Response, ErrorCode> {
        let (trailers, no_trailers) = wit_future::new(|| Ok(None));
        let (response, _sent) = Response::new(Fields::new(), None, no_trailers);
        drop(trailers);
        Ok(response)
    }
}

wasip3::cli::command::export!(Both);
wasip3::http::service::export!(Both);
