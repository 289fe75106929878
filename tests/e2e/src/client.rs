//! HTTP over connections that a test has in its hands.

use std::{convert::Infallible, net::SocketAddr, time::Duration};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty, Full, StreamBody, combinators::BoxBody};
use hyper::{
    body::{Frame, Incoming},
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::{net::TcpStream, task::AbortHandle, time::timeout};

use crate::wait::within;

/// The body of a request.
pub type Body = BoxBody<Bytes, Infallible>;

/// No body.
pub fn empty() -> Body {
    Empty::new().boxed()
}

/// A body that is at hand.
pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).boxed()
}

/// A body that comes piece by piece, of unknown length.
pub fn pieces(stream: impl Stream<Item = Bytes> + Send + Sync + 'static) -> Body {
    BodyExt::boxed(StreamBody::new(stream.map(|piece| Ok(Frame::data(piece)))))
}

/// One connection to a server. It breaks off when this goes out of scope, in the middle of whatever is sent.
pub struct Connection {
    sender: Sender,
    host: String,
    transport: AbortHandle,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.transport.abort();
    }
}

enum Sender {
    Http1(http1::SendRequest<Body>),
    Http2(http2::SendRequest<Body>),
}

impl Connection {
    /// HTTP/1.1.
    pub async fn http1(address: SocketAddr) -> Self {
        let io = TokioIo::new(tcp(address).await);
        let (sender, connection) = http1::handshake(io).await.expect("HTTP/1.1 needs no handshake");
        let transport = tokio::spawn(connection).abort_handle();
        Self { sender: Sender::Http1(sender), host: address.to_string(), transport }
    }

    /// HTTP/2 without TLS, by prior knowledge.
    pub async fn http2(address: SocketAddr) -> Self {
        let io = TokioIo::new(tcp(address).await);
        let handshake = http2::handshake(TokioExecutor::new(), io);
        let (sender, connection) = within("the handshake", handshake).await.expect("the server speaks HTTP/2");
        let transport = tokio::spawn(connection).abort_handle();
        Self { sender: Sender::Http2(sender), host: address.to_string(), transport }
    }

    /// Sends a request and waits for the head of the response.
    ///
    /// # Errors
    /// When the connection ends before that.
    pub async fn try_send(&mut self, method: Method, path: &str, body: Body) -> hyper::Result<Response<Incoming>> {
        self.try_send_with(method, path, &[], body).await
    }

    /// The same, with headers.
    ///
    /// # Errors
    /// When the connection ends before that.
    pub async fn try_send_with(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Body,
    ) -> hyper::Result<Response<Incoming>> {
        within("a response", self.exchange(method, path, headers, body)).await
    }

    async fn exchange(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Body,
    ) -> hyper::Result<Response<Incoming>> {
        let mut request = Request::builder().method(method);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = match self.sender {
            Sender::Http1(_) => request.uri(path).header("host", &self.host),
            Sender::Http2(_) => request.uri(format!("http://{}{path}", self.host)),
        };
        let request = request.body(body).expect("the request is well formed");
        match &mut self.sender {
            Sender::Http1(sender) => {
                sender.ready().await?;
                sender.send_request(request).await
            }
            Sender::Http2(sender) => {
                sender.ready().await?;
                sender.send_request(request).await
            }
        }
    }

    /// Sends a request and waits for the head of the response.
    pub async fn send(&mut self, method: Method, path: &str, body: Body) -> Response<Incoming> {
        let response = self.try_send(method, path, body).await;
        response.unwrap_or_else(|error| panic!("{path} had no response: {error:?}"))
    }

    /// Sends a request and waits for the whole response.
    pub async fn fetch(&mut self, method: Method, path: &str, body: Body) -> Answer {
        collect(self.send(method, path, body).await).await
    }

    /// `PUT` of a body that may be on its way for longer than anything else is waited for.
    pub async fn upload(&mut self, path: &str, body: Body, limit: Duration) -> Answer {
        let response = timeout(limit, self.exchange(Method::PUT, path, &[], body)).await;
        let response = response.unwrap_or_else(|_| panic!("{path} had no response within {limit:?}"));
        collect(response.unwrap_or_else(|error| panic!("{path} had no response: {error:?}"))).await
    }

    /// [`fetch`](Self::fetch) with headers.
    pub async fn fetch_with(&mut self, method: Method, path: &str, headers: &[(&str, &str)], body: Body) -> Answer {
        let response = self.try_send_with(method, path, headers, body).await;
        collect(response.unwrap_or_else(|error| panic!("{path} had no response: {error:?}"))).await
    }
}

async fn tcp(address: SocketAddr) -> TcpStream {
    let stream = within("a connection", TcpStream::connect(address)).await.expect("the server listens");
    stream.set_nodelay(true).expect("TCP has the option");
    stream
}

/// A whole response.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// Reads a response to its end.
pub async fn collect(response: Response<Incoming>) -> Answer {
    let (head, body) = response.into_parts();
    let body = within("the body", body.collect()).await.expect("the body is whole");
    Answer { status: head.status, headers: head.headers, body: body.to_bytes() }
}

impl Answer {
    /// The body of a 2xx response, as text.
    #[track_caller]
    pub fn text(&self) -> String {
        assert!(self.status.is_success(), "{}: {}", self.status, self.body_text());
        self.body_text()
    }

    /// The body of a 2xx response, as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        let text = self.text();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{text:?} is no JSON: {error}"))
    }

    /// The body of a response with this status, as text.
    #[track_caller]
    pub fn refused(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{}", self.body_text());
        self.body_text()
    }

    /// The error that the guest got from a capability: the test guests answer 422 with it.
    #[track_caller]
    pub fn error(&self) -> String {
        self.refused(422)
    }

    /// A header's first value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The body as text, whatever the status.
    pub fn body_text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}
