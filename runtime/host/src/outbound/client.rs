//! The client that sends requests: one for all instances of an app, so that they share its connections.

use std::{
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{
        self,
        connect::{HttpConnector, capture_connection},
    },
    rt::{TokioExecutor, TokioTimer},
};
use rustls::crypto::aws_lc_rs;
use tokio::time::{Instant, Sleep, sleep, timeout};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

use super::errors::convert;

type Http = legacy::Client<HttpsConnector<HttpConnector>, WasiBody>;

/// Sends requests over HTTP/1.1 and, where a TLS server offers it, HTTP/2. Made when the first request is sent, since it
/// reads the certificates that the system trusts.
#[derive(Clone, Default)]
pub(crate) struct Client(Arc<OnceLock<Result<Http, String>>>);

impl Client {
    fn http(&self) -> Result<&Http, Error> {
        let made = self.0.get_or_init(|| make().map_err(|error| error.to_string()));
        made.as_ref().map_err(|error| Error::InternalError(Some(format!("outgoing HTTP is not possible: {error}"))))
    }

    /// Sends a request, and waits for the head of the response.
    ///
    /// # Errors
    /// What the guest is told; the log has the causes.
    pub async fn send(
        &self,
        mut request: Request<WasiBody>,
        options: Option<RequestOptions>,
    ) -> Result<Response<WasiBody>, Error> {
        let options = options.unwrap_or_default();
        let target = origin(request.uri());
        let mut connection = capture_connection(&mut request);
        let late = async move {
            let connected = connection.wait_for_connection_metadata();
            if timeout(or_forever(options.connect_timeout), connected).await.is_err() {
                return Error::ConnectionTimeout;
            }
            sleep(or_forever(options.first_byte_timeout)).await;
            Error::ConnectionReadTimeout
        };
        let response = tokio::select! {
            response = self.http()?.request(request) => response.map_err(|error| convert(&target, &error))?,
            error = late => return Err(error),
        };
        Ok(response.map(|body| match options.between_bytes_timeout {
            Some(limit) => Timed::new(body, limit).boxed_unsync(),
            None => body.map_err(Error::from).boxed_unsync(),
        }))
    }
}

/// With the certificates that the system trusts, also by `SSL_CERT_FILE` and `SSL_CERT_DIR`; where it has none, as in a
/// container that holds nothing else, with Mozilla's.
fn make() -> Result<Http, rustls::Error> {
    let builder = HttpsConnectorBuilder::new();
    let builder = match builder.with_provider_and_native_roots(aws_lc_rs::default_provider()) {
        Ok(builder) => builder,
        Err(error) => {
            tracing::info!("the system has no trusted certificates ({error}); Mozilla's are used for outgoing HTTPS");
            HttpsConnectorBuilder::new().with_provider_and_webpki_roots(aws_lc_rs::default_provider())?
        }
    };
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    let connector = builder.https_or_http().enable_all_versions().wrap_connector(tcp);
    Ok(legacy::Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(connector))
}

/// Where a request goes, for messages: without its path and query, which may hold secrets.
fn origin(uri: &Uri) -> String {
    let host = uri.host().unwrap_or_default();
    let port = uri.port().map_or(String::new(), |port| format!(":{port}"));
    format!("{}://{host}{port}", uri.scheme_str().unwrap_or_default())
}

/// What no limit of the guest bounds, the deadline of its invocation does.
fn or_forever(limit: Option<Duration>) -> Duration {
    const FOREVER: Duration = Duration::from_secs(24 * 60 * 60);
    limit.unwrap_or(FOREVER)
}

/// A body that ends with an error when nothing of it comes for a while.
struct Timed {
    body: Incoming,
    limit: Duration,
    silence: Pin<Box<Sleep>>,
}

impl Timed {
    fn new(body: Incoming, limit: Duration) -> Self {
        Self { body, limit, silence: Box::pin(sleep(limit)) }
    }
}

impl Body for Timed {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            let next = Instant::now() + self.limit;
            self.silence.as_mut().reset(next);
            return Poll::Ready(frame.map(|frame| frame.map_err(Error::from)));
        }
        ready!(self.silence.as_mut().poll(cx));
        Poll::Ready(Some(Err(Error::ConnectionReadTimeout)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_names_the_origin_only() {
        let uri = "https://user:secret@example.com:8443/path?token=secret".parse().unwrap();
        assert_eq!(origin(&uri), "https://example.com:8443");
    }
}
