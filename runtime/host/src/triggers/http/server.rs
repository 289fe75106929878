use std::{
    convert::Infallible,
    pin::pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use http::{HeaderValue, Method, Request, Response, StatusCode, Version, header};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    net::TcpStream,
    sync::{Semaphore, oneshot},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use wasmtime_wasi_http::{
    WasiBody,
    handler::{ExpirationError, InstantiationError, ProxyHandler},
};

use super::{
    access::Access,
    activity::{Activity, InProgress},
    answer,
    arrival::Arriving,
    body::{Answering, Flag, SetOnDrop, request_body, response_body, without_body},
    ended::Ended,
    head,
    listener::{Listener, refuse},
    phases::Phases,
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
    idle_timeout: Duration,
}

/// How long a connection that is beginning may take to be complete: a way there and back.
const HANDSHAKE: Duration = Duration::from_millis(200);

/// How long a request may be on its way on a connection that was silent until now.
const UNDER_WAY: Duration = Duration::from_millis(500);

/// How long the last response of a connection may take to be sent once it is made.
const SENT: Duration = Duration::from_secs(2);

impl HttpServer {
    /// A server for a component that exports a handler.
    ///
    /// # Errors
    /// When it does not.
    pub fn new(instances: Arc<Instances>, reuse: Reuse, idle_timeout: Duration) -> wasmtime::Result<Self> {
        Ok(Self { handler: ProxyHandler::new(Workers::new(instances.clone(), reuse)?), instances, idle_timeout })
    }

    /// Accepts connections until they are closed, then lets those that are served end, each after its current request,
    /// until they are abandoned.
    pub async fn serve(self, listener: Listener, phases: Phases) {
        let connections = TaskTracker::new();
        let places = Arc::new(Semaphore::new(self.instances.shared.limits.connections));
        self.accept_until(&listener, &places, &connections, &phases, phases.closing.cancelled()).await;
        if listener.turn_away() {
            self.accept_until(&listener, &places, &connections, &phases, tokio::time::sleep(HANDSHAKE)).await;
        }
        // A client that the kernel has connected takes that for accepted.
        for stream in listener.close() {
            let (server, phases, places) = (self.clone(), phases.clone(), places.clone());
            connections.spawn(async move {
                let place = places.acquire_owned().await;
                server.connection(stream, phases).await;
                drop(place);
            });
        }
        connections.close();
        connections.wait().await;
        // What guests go on with after their responses belongs to what they were asked for.
        tokio::select! {
            () = self.instances.idle() => {}
            () = overdue(&phases.abandon) => {}
        }
    }

    async fn accept_until(
        &self,
        listener: &Listener,
        places: &Arc<Semaphore>,
        connections: &TaskTracker,
        phases: &Phases,
        end: impl Future<Output = ()>,
    ) {
        let mut end = pin!(end);
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept(places) => accepted,
                () = &mut end => return,
            };
            match accepted {
                Ok((stream, place)) => {
                    let served = self.clone().connection(stream, phases.clone());
                    connections.spawn(async move {
                        served.await;
                        drop(place);
                    });
                }
                Err(error) => refuse(&error).await,
            }
        }
    }

    async fn connection(self, stream: TcpStream, phases: Phases) {
        let (activity, idle) = (Activity::new(), self.idle_timeout);
        let stream = Transport::new(stream, self.instances.shared.limits.timeout, idle, activity.clone());
        let mut builder = auto::Builder::new(TokioExecutor::new());
        // hyper counts the time from the end of the request before.
        builder.http1().timer(TokioTimer::new()).header_read_timeout(idle).half_close(true);
        builder.http2().timer(TokioTimer::new());
        let leaving = phases.leaving.clone();
        let service = service_fn(|request: Request<Incoming>| {
            let (server, leaving) = (self.clone(), leaving.clone());
            let progress = activity.begin(request.version());
            async move {
                let version = request.version();
                let mut response = server.respond(request.map(Arriving::new), progress).await;
                if version < Version::HTTP_2 && leaving.is_cancelled() {
                    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
                }
                Ok::<_, Infallible>(response)
            }
        });
        let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
        let ended = tokio::select! {
            biased;
            ended = connection.as_mut() => ended,
            () = leave(&activity, idle, &phases) => {
                connection.as_mut().graceful_shutdown();
                tokio::select! {
                    ended = connection => ended,
                    () = left(&activity, idle, &phases) => return,
                }
            }
        };
        if let Err(error) = ended {
            // A client that goes away, or speaks something else.
            tracing::debug!("a connection ended early: {error}");
        }
    }

    async fn respond(self, request: Request<Arriving<Incoming>>, progress: InProgress) -> Response<WasiBody> {
        let access = Access::begin(&request);
        let (is_http2, is_head) = (request.version() == Version::HTTP_2, request.method() == Method::HEAD);
        let mut response = self.answer(request, progress).await;
        // HTTP/1.1 leaves the body away by itself.
        let is_bare = is_head || matches!(response.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        if (is_http2 && is_bare) || response.status() == StatusCode::RESET_CONTENT {
            response = response.map(without_body);
        }
        if matches!(response.status(), StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT) {
            response.headers_mut().remove(header::CONTENT_LENGTH);
        }
        match access {
            Some(access) => access.with(response),
            None => response,
        }
    }

    async fn answer(self, mut request: Request<Arriving<Incoming>>, progress: InProgress) -> Response<WasiBody> {
        let (limit, name) = (self.instances.shared.limits.body, name(&request));
        if hyper::body::Body::size_hint(request.body()).lower() > limit {
            return self.too_large(&name);
        }
        if let Err((status, why)) = head::prepare(&mut request) {
            once_a_second(why, |unsaid| {
                tracing::warn!("{name} was answered with {}: it {why}{unsaid}", status.as_u16());
            });
            return answer::refused(status, why);
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
                let answering =
                    Answering { request: name, broken, left, request_exceeded: exceeded, _progress: progress };
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

/// Waits for the reason to tell a client that it is to leave: it has been idle for too long, or the server ends.
///
/// Clients of HTTP/2 are told as soon as they have had a request served, and may finish what they have begun; those of
/// HTTP/1 with each response. Who has not been told when the server closes is asked for no request for a moment: one may
/// be on its way.
async fn leave(activity: &Activity, idle: Duration, phases: &Phases) {
    let multiplexed = async {
        phases.leaving.cancelled().await;
        activity.multiplexed().await;
    };
    let closing = async {
        phases.closing.cancelled().await;
        activity.quiet(UNDER_WAY).await;
    };
    tokio::select! {
        () = activity.idle(idle) => {}
        () = multiplexed => {}
        () = closing => {}
    }
}

/// Waits until a client that was told to leave must have left: all of its requests are answered, and the answers sent.
async fn left(activity: &Activity, idle: Duration, phases: &Phases) {
    let answered = async {
        tokio::select! {
            () = phases.closing.cancelled() => {}
            () = activity.idle(idle) => {}
        }
        activity.idle(SENT).await;
    };
    tokio::select! {
        () = answered => {}
        () = overdue(&phases.abandon) => {}
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
