//! Answers every request with `hello`: the smallest HTTP guest, also for measurements.

use wasip2::http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam};

struct Hello;

impl wasip2::exports::http::incoming_handler::Guest for Hello {
    fn handle(_request: IncomingRequest, out: ResponseOutparam) {
        let response = OutgoingResponse::new(Fields::new());
        let body = response.body().expect("the body is taken once");
        ResponseOutparam::set(out, Ok(response));
        let stream = body.write().expect("the stream is taken once");
        stream.blocking_write_and_flush(b"hello").expect("the client is there");
        drop(stream);
        OutgoingBody::finish(body, None).expect("the body is whole");
    }
}

wasip2::http::proxy::export!(Hello);
