use std::{
    convert::Infallible,
    pin::pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use http::{HeaderValue, Method, Request, Response, StatusCode, Version, header, uri::Authority};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, oneshot},
};
use tokio_util::{
    sync::CancellationToken,
    task::{TaskTracker, task_tracker::TaskTrackerToken},
};
use wasmtime_wasi_http::{
    WasiBody,
    handler::{ExpirationError, InstantiationError, ProxyHandler},
};

use super::{
    access::Access,
    answer,
    arrival::Arriving,
    body::{Answering, Flag, SetOnDrop, request_body, response_body, without_body},
    ended::Ended,
    listener::{accept, refuse},
    transport::Transport,
    worker::{Failure, Reuse, Ticket, Workers},
};
use crate::{
    deadlines::Deadline,
    failure::describe,
    instances::{Instances, Overloaded},
    repeats::once_a_second,
};

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
        // What guests go on with after their responses belongs to what they were asked for.
        tokio::select! {
            () = self.instances.idle() => {}
            () = overdue(&abandon) => {}
        }
    }

    async fn connection(self, stream: TcpStream, stop: CancellationToken, abandon: CancellationToken) {
        let (requests, unread) = (TaskTracker::new(), Flag::default());
        let stream = Transport::new(stream, self.instances.shared.limits.timeout, unread.clone());
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder.http1().timer(TokioTimer::new());
        builder.http2().timer(TokioTimer::new());
        let service = service_fn(|request: Request<Incoming>| {
            let (server, token) = (self.clone(), requests.token());
            let request = request.map(|body| Arriving::new(body, unread.clone()));
            async move { Ok::<_, Infallible>(server.respond(request, token).await) }
        });
        let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                requests.close();
                tokio::select! {
                    ended = connection => ended,
                    () = answered(&requests) => return,
                    () = overdue(&abandon) => return,
                }
            }
        };
        if let Err(error) = ended {
            // A client that goes away, or speaks something else.
            tracing::debug!("a connection ended early: {error}");
        }
    }

    async fn respond(self, request: Request<Arriving<Incoming>>, token: TaskTrackerToken) -> Response<WasiBody> {
        let access = Access::begin(&request);
        let (is_http2, is_head) = (request.version() == Version::HTTP_2, request.method() == Method::HEAD);
        let mut response = self.answer(request, token).await;
        // HTTP/1.1 leaves the body away by itself.
        let is_bare = is_head || matches!(response.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        if is_http2 && is_bare {
            response = response.map(without_body);
        }
        match access {
            Some(access) => access.with(response),
            None => response,
        }
    }

    async fn answer(self, mut request: Request<Arriving<Incoming>>, token: TaskTrackerToken) -> Response<WasiBody> {
        let (limit, name) = (self.instances.shared.limits.body, name(&request));
        if hyper::body::Body::size_hint(request.body()).lower() > limit {
            return self.too_large(&name);
        }
        if !check_host(&mut request) {
            once_a_second(400, |unsaid| {
                tracing::warn!(
                    "{name} was answered with 400: it does not say in one valid way which host it is for{unsaid}"
                );
            });
            return answer::no_host();
        }
        let deadline = self.instances.request_deadline();
        let permit = match self.instances.admit(&deadline).await {
            Ok(permit) => permit,
            Err(overloaded) => return self.turn_away(&name, overloaded),
        };
        let (exceeded, broken, left) = (Flag::default(), Flag::default(), Flag::default());
        let unanswered = Flag::default();
        let (waiting, mut ended) = oneshot::channel();
        let stalled = request.body().stalled();
        let request = request.map(|body| request_body(body, limit, exceeded.clone()));
        let failure = Failure { request: name.as_str().into(), waiting: Mutex::new(Some(waiting)), left: left.clone() };
        let ticket = Ticket {
            deadline: deadline.clone(),
            broken: broken.clone(),
            unanswered: unanswered.clone(),
            failure,
            _permit: permit,
        };
        let gone = SetOnDrop(Some(left.clone()));
        let handled = self.handle(ticket, request, &deadline).await;
        gone.forget();
        if handled.is_err() {
            unanswered.set();
        }
        match handled {
            // Whatever the guest makes of a body that it could not read to its end.
            Ok(_) if exceeded.get() => self.too_large(&name),
            Ok(response) if response.status().is_informational() => {
                let why = format!("the component answered with {}, which ends no request", response.status().as_u16());
                Ended::Failed(why, None).answer(&name)
            }
            Ok(response) => {
                // From here on the worker logs its end itself; it may have told us meanwhile.
                ended.close();
                if let Ok(ended) = ended.try_recv() {
                    ended.log_cut(&name);
                }
                let answering = Answering { request: name, broken, left, request_exceeded: exceeded, _token: token };
                response.map(|body| response_body(body, limit, answering))
            }
            Err(_) if exceeded.get() => self.too_large(&name),
            Err(error) => {
                let ended = self.find_reason(error, ended, &deadline).await;
                if stalled.get() { ended.of_client().answer(&name) } else { ended.answer(&name) }
            }
        }
    }

    fn too_large(&self, request: &str) -> Response<WasiBody> {
        let limit = self.instances.shared.limits.body;
        once_a_second(413, |unsaid| {
            tracing::warn!("{request} was answered with 413: its body is larger than limits.body ({limit}){unsaid}");
        });
        answer::too_large(limit)
    }

    fn turn_away(&self, request: &str, overloaded: Overloaded) -> Response<WasiBody> {
        if self.instances.abandon.is_cancelled() {
            return Ended::Drained(self.instances.shared.limits.drain_timeout).answer(request);
        }
        let why = match overloaded {
            Overloaded::Full => "limits.concurrency and limits.queue are used up",
            Overloaded::Late => "limits.concurrency is used up, and its wait in the queue took all of limits.timeout",
            Overloaded::NoMemory => "limits.total-memory is used up",
        };
        once_a_second(why, |unsaid| tracing::warn!("{request} was answered with 503: {why}{unsaid}"));
        answer::overloaded()
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

    /// Why there is no response. The handler's error may say no more than that; the worker, which is about to end,
    /// knows.
    async fn find_reason(&self, error: wasmtime::Error, ended: oneshot::Receiver<Ended>, deadline: &Deadline) -> Ended {
        /// A worker that serves other requests as well does not end.
        const PATIENCE: Duration = Duration::from_secs(1);
        if let Some(failed) = error.downcast_ref::<InstantiationError<Ticket>>() {
            let why = || format!("no instance could be made: {}", describe(&failed.error));
            return Ended::new(&self.instances, deadline, None, why);
        }
        match tokio::time::timeout(PATIENCE, ended).await {
            Ok(Ok(ended)) => ended,
            _ => Ended::new(&self.instances, deadline, None, || format!("the component failed: {}", describe(&error))),
        }
    }
}

/// Waits until the time to drain is over, and as long as answering those who still wait may take.
async fn overdue(abandon: &CancellationToken) {
    const LAST_WORDS: Duration = Duration::from_secs(2);
    abandon.cancelled().await;
    tokio::time::sleep(LAST_WORDS).await;
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

/// The request in log lines: without its query, which may hold what should not be logged, and not as long as can be.
fn name<B>(request: &Request<B>) -> String {
    const LONGEST: usize = 256;
    let path = request.uri().path();
    match path.split_at(path.floor_char_boundary(LONGEST)) {
        (all, "") => format!("{} {all}", request.method()),
        (begin, _) => format!("{} {begin}…", request.method()),
    }
}
