//! Answers over `wasi:http` 0.3.0: `/echo` with the request's body, anything else with `hello`.

use wasip3::http::types::{ErrorCode, Fields, Request, Response};
use wasip3::{wit_bindgen, wit_future, wit_stream};

struct Hello;

impl wasip3::exports::http::handler::Guest for Hello {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        if request.get_path_with_query().is_some_and(|path| path.starts_with("/echo")) {
            return Ok(echo(request));
        }
        let (mut body, contents) = wit_stream::new();
        let (trailers, no_trailers) = wit_future::new(|| Ok(None));
        let (response, _sent) = Response::new(Fields::new(), Some(contents), no_trailers);
        drop(trailers);
        wit_bindgen::spawn_local(async move {
            body.write_all(b"hello".to_vec()).await;
        });
        Ok(response)
    }
}

/// The request's stream becomes the response's; the bytes do not pass through the guest.
fn echo(request: Request) -> Response {
    let (failure, no_failure) = wit_future::new(|| Ok(()));
    let (contents, trailers) = Request::consume_body(request, no_failure);
    drop(failure);
    Response::new(Fields::new(), Some(contents), trailers).0
}

wasip3::http::service::export!(Hello);
