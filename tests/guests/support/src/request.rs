//! The incoming request, taken apart.

use wasip2::http::types::{IncomingBody, IncomingRequest, Method, Scheme};
use wasip2::io::streams::{InputStream, StreamError};

/// The most bytes asked of a stream at a time.
const CHUNK: u64 = 64 * 1024;

/// An incoming request: its path in decoded segments, its query in decoded pairs.
pub struct Request {
    inner: IncomingRequest,
    segments: Vec<String>,
    query: Vec<(String, String)>,
}

impl Request {
    pub fn new(inner: IncomingRequest) -> Self {
        let target = inner.path_with_query().unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let segments = path.trim_start_matches('/').split('/').map(decode).collect();
        let query = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                (decode(name), decode(value))
            })
            .collect();
        Self { inner, segments, query }
    }

    /// The method in capitals, as in `GET`.
    pub fn method(&self) -> String {
        match self.inner.method() {
            Method::Get => "GET".into(),
            Method::Head => "HEAD".into(),
            Method::Post => "POST".into(),
            Method::Put => "PUT".into(),
            Method::Delete => "DELETE".into(),
            Method::Connect => "CONNECT".into(),
            Method::Options => "OPTIONS".into(),
            Method::Trace => "TRACE".into(),
            Method::Patch => "PATCH".into(),
            Method::Other(name) => name,
        }
    }

    /// The path's segments, percent-decoded one by one: `/kv/a%2Fb` is `["kv", "a/b"]`.
    pub fn segments(&self) -> Vec<&str> {
        self.segments.iter().map(String::as_str).collect()
    }

    /// The first value of a query parameter.
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// A query parameter as a number; `default` if it is missing or is none.
    pub fn number<T: std::str::FromStr>(&self, name: &str, default: T) -> T {
        self.query(name).and_then(|value| value.parse().ok()).unwrap_or(default)
    }

    /// Every query parameter, in order.
    pub fn queries(&self) -> &[(String, String)] {
        &self.query
    }

    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<String> {
        let values = self.inner.headers().get(name);
        values.first().map(|value| String::from_utf8_lossy(value).into_owned())
    }

    /// Every header, in the order the host has them.
    pub fn headers(&self) -> Vec<(String, String)> {
        let entries = self.inner.headers().entries();
        entries.into_iter().map(|(name, value)| (name, String::from_utf8_lossy(&value).into_owned())).collect()
    }

    /// The scheme, as in `http`, if the host gives one.
    pub fn scheme(&self) -> Option<String> {
        self.inner.scheme().map(|scheme| match scheme {
            Scheme::Http => "http".into(),
            Scheme::Https => "https".into(),
            Scheme::Other(name) => name,
        })
    }

    /// The host and port that the request was sent to, if the host gives them.
    pub fn authority(&self) -> Option<String> {
        self.inner.authority()
    }

    /// The whole body.
    pub fn body(&self) -> Vec<u8> {
        let mut whole = Vec::new();
        self.read_body(|chunk| {
            whole.extend_from_slice(chunk);
            Ok(())
        })
        .unwrap_or_default();
        whole
    }

    /// Gives the body to `sink`, chunk by chunk as it arrives.
    pub fn read_body(&self, mut sink: impl FnMut(&[u8]) -> Result<(), String>) -> Result<(), String> {
        let body = self.inner.consume().map_err(|()| "the body was already taken")?;
        let stream = body.stream().map_err(|()| "the body was already taken")?;
        while let Some(chunk) = read_chunk(&stream)? {
            sink(&chunk)?;
        }
        drop(stream);
        drop(IncomingBody::finish(body));
        Ok(())
    }
}

/// Waits for the next bytes of a stream; `None` at its end.
pub fn read_chunk(stream: &InputStream) -> Result<Option<Vec<u8>>, String> {
    match stream.blocking_read(CHUNK) {
        Ok(chunk) => Ok(Some(chunk)),
        Err(StreamError::Closed) => Ok(None),
        Err(StreamError::LastOperationFailed(error)) => Err(error.to_debug_string()),
    }
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let escaped = after.get(..2).filter(|_| byte == b'%');
        match escaped.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()) {
            Some(value) => {
                bytes.push(value);
                rest = &after[2..];
            }
            None => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
