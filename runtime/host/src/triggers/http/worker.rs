//! How wasmtime-wasi-http's `ProxyHandler` gets its instances, and when it gives them up.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use tokio::{sync::oneshot, time::Sleep};
use wasmtime::{Result, Store, StoreContextMut, bail, component::GuestTaskId};
use wasmtime_wasi_http::{
    WasiHttpView,
    handler::{HandlerState, Instance, ProxyPre, ShouldAccept, WorkerExpiration, WorkerState, WorkerStatus},
    p2, p3,
};

use super::{body::Flag, ended::Ended};
use crate::{
    deadlines::Deadline,
    failure::describe,
    instances::{Instances, Permit},
    repeats::once_a_second,
    state::State,
};

/// How long a reused instance waits for its next request.
const IDLE: Duration = Duration::from_secs(1);

/// How often an instance serves before it is thrown away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reuse {
    /// Requests that one instance serves in all. 1: a fresh instance for each.
    pub requests: usize,
    /// Requests that one instance serves at a time. More than one takes effect for components of wasi:http 0.3 alone;
    /// one that waits in a synchronous function, such as those of key-value, holds up the others.
    pub at_a_time: usize,
}

impl Default for Reuse {
    fn default() -> Self {
        Self { requests: 1, at_a_time: 1 }
    }
}

/// Makes workers; one worker is one instance.
pub(crate) struct Workers {
    instances: Arc<Instances>,
    pre: ProxyPre<State>,
    reuse: Reuse,
}

impl Workers {
    /// Workers for a component that exports a handler of either version.
    pub fn new(instances: Arc<Instances>, reuse: Reuse) -> Result<Self> {
        let pre = match p3::bindings::ServicePre::new(instances.pre.clone()) {
            Ok(pre) => ProxyPre::P3(pre),
            Err(_) => ProxyPre::P2(p2::bindings::ProxyPre::new(instances.pre.clone())?),
        };
        Ok(Self { instances, pre, reuse })
    }
}

/// What comes with a request to the worker that serves it.
pub(crate) struct Ticket {
    pub deadline: Deadline,
    /// Set when the instance fails, before the bodies that it was writing end.
    pub broken: Flag,
    /// Set when the request had no response: the instance is not one to give another.
    pub unanswered: Flag,
    /// Told why the instance failed.
    pub failure: Failure,
    /// Held until the instance is idle or gone: work that goes on after the response counts as running.
    pub _permit: Permit,
}

/// Why an instance failed: told to whoever waits for its response, or else to the log.
pub(crate) struct Failure {
    pub request: Arc<str>,
    pub waiting: Mutex<Option<oneshot::Sender<Ended>>>,
    /// Set when the client did not wait for the end of the response.
    pub left: Flag,
}

impl Failure {
    fn set(&self, ended: Ended) {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
        let untold = match waiting {
            Some(waiting) => waiting.send(ended).err(),
            None => Some(ended),
        };
        match untold {
            // Many a guest takes a write that nobody reads for a reason to panic.
            Some(Ended::Failed(why, _) | Ended::CrowdedOut(why, _)) if self.left.get() => {
                tracing::debug!("the client of {} left before the end of its response: {why}", self.request);
            }
            Some(ended) if self.left.get() => {
                let request = &self.request;
                once_a_second(("left", request), |unsaid| {
                    tracing::warn!("the client of {request} left, and the component went on: {ended}{unsaid}");
                });
            }
            Some(ended) => ended.log_cut(&self.request),
            None => {}
        }
    }
}

impl HandlerState for Workers {
    type StoreData = State;
    type WorkerExpiration = Expiration;
    type WorkerState = Worker;

    async fn instantiate(&self) -> Result<Instance<State, Expiration, Worker>> {
        let (mut store, deadline) = (self.instances.store()?, self.instances.request_deadline());
        let proxy = tokio::select! {
            biased;
            proxy = self.pre.instantiate_async(&mut store) => proxy?,
            () = deadline.passed() => bail!("it did not start within limits.timeout"),
        };
        let given = Arc::<Mutex<Given>>::default();
        let expiration = Expiration { given: given.clone(), waiting: None, idle: None };
        let state = Worker { instances: self.instances.clone(), reuse: self.reuse, given };
        Ok(Instance { store, proxy, view: WasiHttpView::http, expiration, state })
    }
}

/// What an instance was given.
#[derive(Default)]
struct Given {
    /// Of the requests since it was idle.
    tickets: Vec<Ticket>,
    /// Of the requests since it was idle and those right before, which may turn out to have had no response.
    unanswered: Vec<Flag>,
    /// A request before that had none.
    spent: bool,
}

impl Given {
    fn add(&mut self, ticket: Ticket) {
        if self.tickets.is_empty() {
            self.spent = self.is_spent();
            self.unanswered.clear();
        }
        self.unanswered.push(ticket.unanswered.clone());
        self.tickets.push(ticket);
    }

    fn take(&mut self) -> Vec<Ticket> {
        std::mem::take(&mut self.tickets)
    }

    /// Whether it has failed to respond, in whatever way.
    fn is_spent(&self) -> bool {
        self.spent || self.unanswered.iter().any(Flag::get)
    }
}

fn lock(given: &Mutex<Given>) -> MutexGuard<'_, Given> {
    given.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) struct Worker {
    instances: Arc<Instances>,
    reuse: Reuse,
    given: Arc<Mutex<Given>>,
}

impl Worker {
    /// Tells whoever waits for a response of this instance that it failed.
    fn tell(&self, tickets: &[Ticket], state: &State, why: &str) {
        if tickets.is_empty() && !self.instances.abandon.is_cancelled() {
            tracing::error!("an instance failed while it was given a request: {why}");
        }
        for ticket in tickets {
            ticket.broken.set();
            let failed = || format!("the component failed: {why}");
            let ended = Ended::new(&self.instances, &ticket.deadline, Some(state.origin.instance()), failed);
            ticket.failure.set(if state.memory.was_crowded_out() { ended.of_crowded_out() } else { ended });
        }
    }
}

impl WorkerState for Worker {
    type StoreData = State;
    type RequestData = Ticket;

    fn should_accept_request(&self, at_a_time: usize, served: usize) -> ShouldAccept {
        if served >= self.reuse.requests || lock(&self.given).is_spent() {
            ShouldAccept::Never
        } else if at_a_time >= self.reuse.at_a_time {
            ShouldAccept::No
        } else {
            ShouldAccept::Yes
        }
    }

    fn on_request_start(
        &self,
        mut store: StoreContextMut<'_, State>,
        ticket: Ticket,
        _task: GuestTaskId,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + Sync>> {
        let passed = ticket.deadline.clone().passed();
        let state = store.data_mut();
        state.origin.serve(ticket.failure.request.clone());
        state.memory.begin_request();
        lock(&self.given).add(ticket);
        Box::pin(passed)
    }

    fn drop(&self, store: Store<State>, result: Result<()>) {
        let tickets = lock(&self.given).take();
        if let Err(error) = result {
            self.tell(&tickets, store.data(), &describe(&error));
        }
        // Bodies end with the store, and the places are free once it is gone.
        drop(store);
        drop(tickets);
    }
}

/// Ends a worker at the deadline of the request that it was given last, or after a while without any.
pub(crate) struct Expiration {
    given: Arc<Mutex<Given>>,
    /// The wait for a deadline, and how many requests there were when it began.
    waiting: Option<(usize, Passing)>,
    idle: Option<Pin<Box<Sleep>>>,
}

type Passing = Pin<Box<dyn Future<Output = ()> + Send + Sync>>;

impl Expiration {
    fn poll_idle(&mut self, cx: &mut Context<'_>, since: Instant) -> Poll<()> {
        // Nothing runs, so nothing takes a place.
        self.waiting = None;
        let ended = lock(&self.given).take();
        drop(ended);
        let end = tokio::time::Instant::from_std(since + IDLE);
        let idle = self.idle.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(end)));
        if idle.deadline() != end {
            idle.as_mut().reset(end);
        }
        idle.as_mut().poll(cx)
    }

    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let given = lock(&self.given);
        let (count, Some(last)) = (given.tickets.len(), given.tickets.last()) else { return Poll::Pending };
        if self.waiting.as_ref().is_none_or(|(counted, _)| *counted != count) {
            self.waiting = Some((count, Box::pin(last.deadline.clone().passed())));
        }
        drop(given);
        self.waiting.as_mut().map_or(Poll::Pending, |(_, passing)| passing.as_mut().poll(cx))
    }
}

impl WorkerExpiration for Expiration {
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>, status: WorkerStatus, start: Instant) -> Poll<()> {
        match status {
            WorkerStatus::Idle => self.poll_idle(cx, start),
            WorkerStatus::Requests | WorkerStatus::PostReturn => self.poll_deadline(cx),
        }
    }
}
