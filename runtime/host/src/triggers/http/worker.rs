//! How wasmtime-wasi-http's `ProxyHandler` gets its instances, and when it gives them up.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use tokio::{sync::oneshot, time::Sleep};
use wasmtime::{Result, Store, StoreContextMut, component::GuestTaskId};
use wasmtime_wasi_http::{
    WasiHttpView,
    handler::{HandlerState, Instance, ProxyPre, ShouldAccept, WorkerExpiration, WorkerState, WorkerStatus},
    p2, p3,
};

use super::body::Flag;
use crate::{
    deadlines::Deadline,
    failure::describe,
    instances::{Instances, Permit},
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
    /// Told why the instance failed; dropped when it is done with the request.
    pub failure: oneshot::Sender<String>,
    /// Held until the instance is idle or gone: work that goes on after the response counts as running.
    pub _permit: Permit,
}

impl HandlerState for Workers {
    type StoreData = State;
    type WorkerExpiration = Expiration;
    type WorkerState = Worker;

    async fn instantiate(&self) -> Result<Instance<State, Expiration, Worker>> {
        let mut store = self.instances.store()?;
        let proxy = self.pre.instantiate_async(&mut store).await?;
        let current = Arc::new(Mutex::new(None));
        let expiration = Expiration { current: current.clone(), waiting: None, idle: None };
        let state = Worker { reuse: self.reuse, current };
        Ok(Instance { store, proxy, view: WasiHttpView::http, expiration, state })
    }
}

/// The ticket of the request accepted last.
type Current = Arc<Mutex<Option<Ticket>>>;

pub(crate) struct Worker {
    reuse: Reuse,
    current: Current,
}

impl WorkerState for Worker {
    type StoreData = State;
    type RequestData = Ticket;

    fn should_accept_request(&self, at_a_time: usize, served: usize) -> ShouldAccept {
        if served >= self.reuse.requests {
            ShouldAccept::Never
        } else if at_a_time >= self.reuse.at_a_time {
            ShouldAccept::No
        } else {
            ShouldAccept::Yes
        }
    }

    fn on_request_start(
        &self,
        _store: StoreContextMut<'_, State>,
        ticket: Ticket,
        _task: GuestTaskId,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + Sync>> {
        let passed = ticket.deadline.clone().passed();
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Some(ticket);
        Box::pin(passed)
    }

    fn drop(&self, store: Store<State>, result: Result<()>) {
        let ticket = self.current.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Ticket { broken, failure, _permit, .. }) = ticket else { return };
        if let Err(error) = result {
            broken.set();
            // Nobody listens when the response was on its way already.
            if let Err(why) = failure.send(describe(&error)) {
                tracing::error!("the component failed after its response had begun, which is cut off: {why}");
            }
        }
        // The slot is free again before the next request may take it.
        drop(store);
    }
}

/// Ends a worker at the deadline of its request, or after a while without any.
pub(crate) struct Expiration {
    current: Current,
    waiting: Option<Pin<Box<dyn Future<Output = ()> + Send + Sync>>>,
    idle: Option<Pin<Box<Sleep>>>,
}

impl WorkerExpiration for Expiration {
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>, status: WorkerStatus, start: Instant) -> Poll<()> {
        match status {
            WorkerStatus::Idle => {
                self.waiting = None;
                self.current.lock().unwrap_or_else(PoisonError::into_inner).take();
                let end = tokio::time::Instant::from_std(start + IDLE);
                let idle = self.idle.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(end)));
                if idle.deadline() != end {
                    idle.as_mut().reset(end);
                }
                idle.as_mut().poll(cx)
            }
            WorkerStatus::Requests | WorkerStatus::PostReturn => {
                let this = self.as_mut().get_mut();
                if this.waiting.is_none() {
                    let current = this.current.lock().unwrap_or_else(PoisonError::into_inner);
                    let Some(ticket) = &*current else { return Poll::Pending };
                    this.waiting = Some(Box::pin(ticket.deadline.clone().passed()));
                }
                match &mut this.waiting {
                    Some(waiting) => waiting.as_mut().poll(cx),
                    None => Poll::Pending,
                }
            }
        }
    }
}
