use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    pin::pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use http::{HeaderValue, Request, Response, Version, header, uri::Authority};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, oneshot},
};
use tokio_io_timeout::TimeoutStream;
use tokio_util::{
    sync::CancellationToken,
    task::{TaskTracker, task_tracker::TaskTrackerToken},
};
use wasmtime_wasi_http::{
    WasiBody,
    handler::{ExpirationError, InstantiationError, ProxyHandler},
};

use super::{
    answer,
    body::{Flag, request_body, response_body},
    worker::{Failure, Reuse, Ticket, Workers},
};
use crate::{deadlines::Deadline, failure::describe, instances::Instances};

/// Connections that the kernel holds until they are accepted.
const BACKLOG: u32 = 1024;

/// Opens the listening socket.
///
/// # Errors
/// The operating system's, for example that the address is in use.
pub(crate) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A restart must not wait for the connections of the process before it to be forgotten. On Windows the option
    // means something else: two servers on one port.
    socket.set_reuseaddr(!cfg!(windows))?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves one component over HTTP/1.1 and HTTP/2 without TLS (h2c).
#[derive(Clone)]
pub(crate) struct HttpServer {
    handler: ProxyHandler<Workers>,
    instances: Arc<Instances>,
}

impl HttpServer {
    /// A server for a component that exports a handler.
    ///
    /// # Errors
    /// When it does not.
    pub fn new(instances: Arc<Instances>, reuse: Reuse) -> wasmtime::Result<Self> {
        Ok(Self { handler: ProxyHandler::new(Workers::new(instances.clone(), reuse)?), instances })
    }

    /// Accepts connections until `stop`; then lets those that are served end, each after its current request, until
    /// `abandon`.
    pub async fn serve(self, listener: TcpListener, stop: CancellationToken, abandon: CancellationToken) {
        let connections = TaskTracker::new();
        let places = Arc::new(Semaphore::new(self.instances.shared.limits.connections));
        loop {
            let accepted = tokio::select! {
                accepted = accept(&listener, &places) => accepted,
                () = stop.cancelled() => break,
            };
            match accepted {
                Ok((stream, place)) => {
                    let served = self.clone().connection(stream, stop.clone(), abandon.clone());
                    connections.spawn(async move {
                        served.await;
                        drop(place);
                    });
                }
                Err(error) => refuse(&error).await,
            }
        }
        drop(listener);
        connections.close();
        connections.wait().await;
    }

    async fn connection(self, stream: TcpStream, stop: CancellationToken, abandon: CancellationToken) {
        // Small writes of a response must not wait for the acknowledgement of the last.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!("a connection is served with delay: {error}");
        }
        let requests = TaskTracker::new();
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder.http1().timer(TokioTimer::new());
        builder.http2().timer(TokioTimer::new());
        let service = service_fn(|request| {
            let (server, token) = (self.clone(), requests.token());
            async move { Ok::<_, Infallible>(server.respond(request, token).await) }
        });
        let stream = TokioIo::new(Box::pin(self.timed(stream)));
        let mut connection = pin!(builder.serve_connection(stream, service));
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                requests.close();
                tokio::select! {
                    ended = connection => ended,
                    () = answered(&requests) => return,
                    () = abandon.cancelled() => return,
                }
            }
        };
        if let Err(error) = ended {
            // A client that goes away, or speaks something else.
            tracing::debug!("a connection ended early: {error}");
        }
    }

    /// A connection that ends by itself when the client neither reads what it is sent nor sends anything.
    fn timed(&self, stream: TcpStream) -> TimeoutStream<TcpStream> {
        /// How long a connection may be idle between requests.
        const IDLE: Duration = Duration::from_secs(60);
        let timeout = self.instances.shared.limits.timeout;
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(timeout));
        // Also while a request is served nothing more may come from the client.
        stream.set_read_timeout(Some(timeout.saturating_add(IDLE)));
        stream
    }

    async fn respond(self, mut request: Request<Incoming>, token: TaskTrackerToken) -> Response<WasiBody> {
        let limit = self.instances.shared.limits.body;
        if hyper::body::Body::size_hint(request.body()).lower() > limit {
            return answer::too_large(limit);
        }
        if !check_host(&mut request) {
            return answer::no_host();
        }
        let deadline = self.instances.deadline();
        let Ok(permit) = self.instances.admit(&deadline).await else {
            tracing::warn!("a request was turned away with 503: limits.concurrency and limits.queue are used up");
            return answer::overloaded();
        };
        let (exceeded, broken, name) = (Flag::default(), Flag::default(), name(&request));
        let (waiting, mut failed) = oneshot::channel();
        let request = request.map(|body| request_body(body, limit, exceeded.clone()));
        let failure = Failure { request: name.clone(), waiting: Mutex::new(Some(waiting)) };
        let ticket = Ticket { deadline: deadline.clone(), broken: broken.clone(), failure, _permit: permit };
        match self.handle(ticket, request, &deadline).await {
            // Whatever the guest makes of a body that it could not read to its end.
            Ok(_) if exceeded.get() => self.too_large(&name),
            Ok(response) => {
                // From here on the worker logs its failure itself; it may have told us meanwhile.
                failed.close();
                if let Ok(why) = failed.try_recv() {
                    tracing::error!("the response to {name} was cut off: the component failed: {why}");
                }
                response.map(|body| response_body(body, limit, name, broken, token))
            }
            Err(_) if exceeded.get() => self.too_large(&name),
            Err(error) => {
                let why = reason(error, failed).await;
                self.explain(&why, &name, &deadline)
            }
        }
    }

    fn too_large(&self, request: &str) -> Response<WasiBody> {
        let limit = self.instances.shared.limits.body;
        tracing::warn!("{request} was answered with 413: its body is larger than limits.body ({limit})");
        answer::too_large(limit)
    }

    /// The worker ends at the deadline by itself; this is for a request that has no worker yet.
    async fn handle(
        &self,
        ticket: Ticket,
        request: Request<WasiBody>,
        deadline: &Deadline,
    ) -> wasmtime::Result<Response<WasiBody>> {
        let handled = self.handler.handle(ticket, request);
        tokio::select! {
            biased;
            handled = handled => handled,
            () = deadline.clone().passed() => Err(ExpirationError.into()),
        }
    }

    fn explain(&self, why: &str, request: &str, deadline: &Deadline) -> Response<WasiBody> {
        let limits = &self.instances.shared.limits;
        if deadline.is_past() {
            tracing::warn!("{request} was answered with 500: no response within limits.timeout ({:?})", limits.timeout);
            return answer::timed_out(limits.timeout);
        }
        tracing::error!("{request} was answered with 500: {why}");
        answer::failed()
    }
}

/// Why there is no response. The handler's error may say no more than that; the worker, which is about to end, knows.
async fn reason(error: wasmtime::Error, failed: oneshot::Receiver<String>) -> String {
    /// A worker that serves other requests as well does not end.
    const PATIENCE: Duration = Duration::from_secs(1);
    if let Some(failed) = error.downcast_ref::<InstantiationError<Ticket>>() {
        return format!("no instance could be made: {}", describe(&failed.error));
    }
    let why = match tokio::time::timeout(PATIENCE, failed).await {
        Ok(Ok(why)) => why,
        _ => describe(&error),
    };
    format!("the component failed: {why}")
}

/// Waits until every request of a connection is answered, and a moment longer for the answers to be sent.
async fn answered(requests: &TaskTracker) {
    const MOMENT: Duration = Duration::from_secs(1);
    requests.wait().await;
    tokio::time::sleep(MOMENT).await;
}

/// Whether the request says in one valid way which host it is for. HTTP/1.0 need not: it is for whoever it reached.
fn check_host<B>(request: &mut Request<B>) -> bool {
    if request.version() == Version::HTTP_10 && !request.headers().contains_key(header::HOST) {
        request.headers_mut().insert(header::HOST, HeaderValue::from_static("localhost"));
    }
    let mut hosts = request.headers().get_all(header::HOST).iter();
    match (request.uri().authority(), hosts.next(), hosts.next()) {
        (Some(_), ..) => true,
        (None, Some(host), None) => Authority::try_from(host.as_bytes()).is_ok(),
        _ => false,
    }
}

/// The request in log lines: without its query, which may hold what should not be logged.
fn name<B>(request: &Request<B>) -> String {
    format!("{} {}", request.method(), request.uri().path())
}

/// Accepts a connection once there is a place for it. Until then clients wait in the kernel's queue.
async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    if places.available_permits() == 0 {
        tracing::warn!("clients wait to be connected: limits.connections is used up");
    }
    let place = places.clone().acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, place))
}

/// A failed accept concerns one client, or is a lack of file descriptors, which waiting may cure.
async fn refuse(error: &io::Error) {
    const PAUSE: Duration = Duration::from_millis(100);
    match error.kind() {
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused => {}
        _ => {
            tracing::warn!("no connection can be accepted: {error}");
            tokio::time::sleep(PAUSE).await;
        }
    }
}
