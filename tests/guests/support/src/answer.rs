//! The response, whole or as a stream.

use std::fmt::Display;
use wasip2::http::types::{Fields, OutgoingBody, OutgoingResponse, ResponseOutparam};
use wasip2::io::streams::{OutputStream, StreamError};

/// The status of an answer that reports an error of a capability. The host never answers with it, so
/// that a test can tell the guest's view from the host's.
const CAPABILITY_ERROR: u16 = 422;

type Writer = Box<dyn FnOnce(&ResponseBody) -> Result<(), String>>;

/// An answer: a status, headers, and a body that is at hand or written piece by piece.
pub struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Writer,
}

impl Answer {
    /// Bytes, as `application/octet-stream`.
    pub fn bytes(body: Vec<u8>) -> Self {
        Self::stream(move |out| out.write(&body))
    }

    /// Text, as `text/plain`.
    pub fn text(text: impl Display) -> Self {
        let text = text.to_string();
        Self::stream(move |out| out.write(text.as_bytes())).typed("text/plain; charset=utf-8")
    }

    /// JSON.
    pub fn json(value: &serde_json::Value) -> Self {
        Self::text(value).typed("application/json")
    }

    /// A body that `write` produces after the status and headers have left.
    pub fn stream(write: impl FnOnce(&ResponseBody) -> Result<(), String> + 'static) -> Self {
        Self { status: 200, headers: Vec::new(), body: Box::new(write) }.typed("application/octet-stream")
    }

    /// 422 with the error's WIT case.
    pub fn error(error: impl Display) -> Self {
        Self::text(error).status(CAPABILITY_ERROR)
    }

    /// 404 with a sentence.
    pub fn not_found(what: impl Display) -> Self {
        Self::text(what).status(404)
    }

    /// Text of what went well, or [`Answer::error`].
    pub fn of(result: Result<impl Display, impl Display>) -> Self {
        match result {
            Ok(value) => Self::text(value),
            Err(error) => Self::error(error),
        }
    }

    pub fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    pub fn header(mut self, name: &str, value: impl Display) -> Self {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }

    fn typed(mut self, content_type: &str) -> Self {
        self.headers.retain(|(name, _)| name != "content-type");
        self.header("content-type", content_type)
    }

    /// Sends the status and headers, then the body. If the body fails midway it is left unfinished,
    /// which the client sees as a broken response.
    pub fn send(self, out: ResponseOutparam) {
        let headers = Fields::new();
        for (name, value) in &self.headers {
            if let Err(error) = headers.append(name, value.as_bytes()) {
                eprintln!("header {name} was refused: {error:?}");
            }
        }
        let response = OutgoingResponse::new(headers);
        let set = response.set_status_code(self.status);
        let body = response.body();
        ResponseOutparam::set(out, Ok(response));
        let (Ok(()), Ok(body)) = (set, body) else {
            return;
        };
        let Ok(stream) = body.write() else {
            return;
        };
        let stream = ResponseBody(stream);
        let written = (self.body)(&stream);
        drop(stream);
        match written {
            Ok(()) => drop(OutgoingBody::finish(body, None)),
            Err(error) => eprintln!("the response ended early: {error}"),
        }
    }
}

/// The body of a response that is being sent.
pub struct ResponseBody(OutputStream);

impl ResponseBody {
    /// Waits until the bytes were taken; never holds more of them than the host allows.
    pub fn write(&self, bytes: &[u8]) -> Result<(), String> {
        // The most that one call of `blocking-write-and-flush` takes.
        for chunk in bytes.chunks(4096) {
            self.0.blocking_write_and_flush(chunk).map_err(describe)?;
        }
        Ok(())
    }
}

fn describe(error: StreamError) -> String {
    match error {
        StreamError::Closed => "the client closed the connection".into(),
        StreamError::LastOperationFailed(error) => error.to_debug_string(),
    }
}
