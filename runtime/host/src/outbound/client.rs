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

use super::{
    connector::{Connector, Used},
    errors::{convert, is_stale},
    message::no_body,
};

type Http = legacy::Client<HttpsConnector<Connector>, WasiBody>;

/// Sends requests over HTTP/1.1 and, where a TLS server offers it, HTTP/2. Made when the first request is sent, since it
/// reads the certificates that the system trusts.
#[derive(Clone, Default)]
pub(crate) struct Client(Arc<OnceLock<Result<Clients, String>>>);

struct Clients {
    /// Keeps connections for the next request.
    pooled: Http,
    /// Makes a new one for each.
    fresh: Http,
}

/// Why a request has no response.
enum Failure {
    Lost(legacy::Error),
    Late(Error),
}

impl Client {
    fn clients(&self) -> Result<&Clients, Error> {
        let made = self.0.get_or_init(|| make().map_err(|error| error.to_string()));
        made.as_ref().map_err(|error| Error::InternalError(Some(format!("outgoing HTTP is not possible: {error}"))))
    }

    /// Sends a request, and waits for the head of the response. A server may close a kept connection just when a request
    /// is sent on it: one that can be repeated (RFC 9110, section 9.2.2), and has no body, is sent once more on a new
    /// connection.
    ///
    /// # Errors
    /// What the guest is told; the log has the causes.
    pub async fn send(
        &self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
    ) -> Result<Response<WasiBody>, Error> {
        let (clients, options) = (self.clients()?, options.unwrap_or_default());
        let target = origin(request.uri());
        let again = copy(&request);
        let (mut sent, used) = once(&clients.pooled, request, &options).await;
        if let (Err(Failure::Lost(error)), Some(again)) = (&sent, again)
            && used
            && is_stale(error)
        {
            tracing::debug!("{target} closed a kept connection, and the request is sent again");
            (sent, _) = once(&clients.fresh, again, &options).await;
        }
        let response = sent.map_err(|failure| match failure {
            Failure::Lost(error) => convert(&target, &error),
            Failure::Late(error) => error,
        })?;
        Ok(response.map(|body| match options.between_bytes_timeout {
            Some(limit) => Timed::new(body, limit).boxed_unsync(),
            None => body.map_err(Error::from).boxed_unsync(),
        }))
    }
}

/// Also says whether the connection had been used before.
async fn once(
    client: &Http,
    mut request: Request<WasiBody>,
    options: &RequestOptions,
) -> (Result<Response<Incoming>, Failure>, bool) {
    let connection = capture_connection(&mut request);
    let mut connected = connection.clone();
    let (connect_timeout, first_byte_timeout) = (options.connect_timeout, options.first_byte_timeout);
    let late = async move {
        if timeout(or_forever(connect_timeout), connected.wait_for_connection_metadata()).await.is_err() {
            return Error::ConnectionTimeout;
        }
        sleep(or_forever(first_byte_timeout)).await;
        Error::ConnectionReadTimeout
    };
    let sent = tokio::select! {
        response = client.request(request) => response.map_err(Failure::Lost),
        error = late => Err(Failure::Late(error)),
    };
    let used = connection.connection_metadata().as_ref().and_then(Used::of);
    let was_used = used.as_ref().is_some_and(Used::get);
    if let (Ok(_), Some(used)) = (&sent, used) {
        used.set();
    }
    (sent, was_used)
}

/// The same request, if it can be repeated and has no body.
fn copy(request: &Request<WasiBody>) -> Option<Request<WasiBody>> {
    if !request.method().is_idempotent() || !request.body().is_end_stream() {
        return None;
    }
    let mut copy = Request::new(no_body());
    request.method().clone_into(copy.method_mut());
    request.uri().clone_into(copy.uri_mut());
    request.headers().clone_into(copy.headers_mut());
    Some(copy)
}

/// With the certificates that the system trusts, also by `SSL_CERT_FILE` and `SSL_CERT_DIR`; where it has none, as in a
/// container that holds nothing else, with Mozilla's.
fn make() -> Result<Clients, rustls::Error> {
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
    let connector = builder.https_or_http().enable_all_versions().wrap_connector(Connector(tcp));
    let client = || {
        let mut client = legacy::Client::builder(TokioExecutor::new());
        client.pool_timer(TokioTimer::new());
        client
    };
    let fresh = client().pool_max_idle_per_host(0).build(connector.clone());
    Ok(Clients { pooled: client().build(connector), fresh })
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
