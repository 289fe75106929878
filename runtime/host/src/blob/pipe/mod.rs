//! The body of an object on its way from the guest to the provider, in bounded memory.
//!
//! Until [`Pipe::bind`] nobody takes from the pipe, and a guest may write any amount: what memory does not hold goes to
//! a [`spool`]. From then on the provider takes what was spooled, then what is in memory, then what is written next, and
//! a full pipe makes the guest wait.
//!
//! The pipe also keeps the time. Whoever owes the next step to a provider's `write` (it has something to take, or has
//! taken the end) has `idle` for it; an upload as a whole may take as long as it keeps moving.

mod queue;
mod source;
mod spool;
mod taker;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use slight_capabilities::{Error, Result};
use tokio::{
    sync::Notify,
    task::JoinHandle,
    time::{Instant, timeout},
};

use self::{queue::Queue, spool::Spool};
use super::Failure;
use crate::{Limits, held::Disk};

/// What memory holds before the target is known. Bodies of this size never touch a disk.
const UNBOUND_BYTES: usize = 1024 * 1024;
/// What memory holds once the provider takes it.
const BOUND_BYTES: usize = 256 * 1024;

/// Why nothing more can be written.
#[derive(Debug)]
pub(super) enum Stopped {
    /// The value is finished or dropped.
    Closed,
    /// The body cannot be stored.
    Failed(Failure),
}

/// See the [module](self).
pub(super) struct Pipe {
    state: Mutex<State>,
    /// Wakes whoever writes, or waits for the outcome.
    room: Notify,
    /// Wakes whoever takes: the spool, then the provider.
    data: Notify,
    idle: Duration,
    disk: Disk,
}

struct State {
    queue: Queue,
    /// Bytes in memory, with those on their way to the spool.
    held: usize,
    /// The object in words, once the pipe is bound.
    target: Option<String>,
    stage: Stage,
    spooling: Option<JoinHandle<Option<Spool>>>,
    /// There will be no more to take.
    ended: bool,
    /// The taker has seen the end.
    end_taken: bool,
    failure: Option<Failure>,
    outcome: Option<Result<(), Failure>>,
    /// When the taker last took something, or from when on there was something to take.
    moved: Instant,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Unbound,
    Bound,
    /// The value was dropped without being finished.
    Abandoned,
}

impl State {
    fn capacity(&self) -> usize {
        if self.stage == Stage::Bound { BOUND_BYTES } else { UNBOUND_BYTES }
    }

    fn room(&self) -> usize {
        self.capacity().saturating_sub(self.held)
    }

    fn push(&mut self, bytes: Bytes) {
        // Before the pipe is bound nothing is owed until it is full, which this push may make it.
        if self.held == 0 || self.stage == Stage::Unbound {
            self.moved = Instant::now();
        }
        self.held += bytes.len();
        self.queue.push(bytes);
    }

    fn pop(&mut self) -> Option<Bytes> {
        let chunk = self.queue.pop()?;
        self.moved = Instant::now();
        Some(chunk)
    }

    fn fail(&mut self, failure: impl FnOnce() -> Failure) -> &Failure {
        self.failure.get_or_insert_with(failure)
    }
}

impl Pipe {
    pub fn new(limits: &Limits, disk: Disk) -> Arc<Self> {
        let state = State {
            queue: Queue::default(),
            held: 0,
            target: None,
            stage: Stage::Unbound,
            spooling: None,
            ended: false,
            end_taken: false,
            failure: None,
            outcome: None,
            moved: Instant::now(),
        };
        let (room, data) = (Notify::new(), Notify::new());
        Arc::new(Self { state: Mutex::new(state), room, data, idle: limits.backend_timeout, disk })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The guest's side.
impl Pipe {
    /// How many bytes may be written now; 0 when the pipe is full.
    pub fn room(&self) -> Result<usize, Stopped> {
        let state = self.state();
        match &state.failure {
            _ if state.ended => Err(Stopped::Closed),
            Some(failure) => Err(Stopped::Failed(failure.clone())),
            None => Ok(state.room()),
        }
    }

    /// How many bytes memory may hold of it now.
    pub fn capacity(&self) -> usize {
        self.state().capacity()
    }

    /// Waits until [`room`](Self::room) is not 0.
    pub async fn wait_for_room(&self) {
        while matches!(self.room(), Ok(0)) && self.wait().await.is_ok() {}
    }

    /// Puts bytes in. The caller has asked for [`room`](Self::room); a chunk that is longer is one too many in memory.
    pub fn push(self: &Arc<Self>, bytes: Bytes) {
        let mut state = self.state();
        if bytes.is_empty() || state.ended || state.failure.is_some() {
            return;
        }
        state.push(bytes);
        if state.stage == Stage::Unbound && state.room() == 0 && state.spooling.is_none() {
            state.spooling = Some(tokio::spawn(spool::run(self.clone(), self.disk.clone())));
        }
        drop(state);
        self.data.notify_one();
    }

    /// Ends the body, and waits until the provider has stored it.
    ///
    /// # Errors
    /// What went wrong on the way, what the provider's `write` gave, or `Timeout` when it stopped moving.
    pub async fn finish(&self) -> Result<()> {
        self.end();
        loop {
            if let Some(outcome) = self.state().outcome.clone() {
                return outcome.map_err(Into::into);
            }
            if let Err(failure) = self.wait().await {
                return Err(failure.into());
            }
        }
    }

    fn end(&self) {
        let mut state = self.state();
        state.ended = true;
        state.moved = Instant::now();
        drop(state);
        self.data.notify_one();
    }

    /// Makes a body that is not finished come to nothing.
    pub fn abandon(&self) {
        let mut state = self.state();
        state.fail(|| Error::other("the value was dropped without being finished").into());
        state.stage = Stage::Abandoned;
        state.ended = true;
        drop(state);
        self.data.notify_one();
    }

    /// Waits until the other side did something. When it owes it for too long, the body fails.
    async fn wait(&self) -> Result<(), Failure> {
        let left = self.idle.saturating_sub(self.state().moved.elapsed());
        if timeout(left, self.room.notified()).await.is_ok() {
            return Ok(());
        }
        let mut state = self.state();
        if state.moved.elapsed() < self.idle || state.outcome.is_some() {
            return Ok(());
        }
        let failure = self.stalled(&state);
        let failure = state.fail(|| failure).clone();
        drop(state);
        self.data.notify_one();
        Err(failure)
    }

    fn stalled(&self, state: &State) -> Failure {
        let idle = self.idle;
        let (target, who) = match &state.target {
            Some(target) => (target.as_str(), "the provider"),
            None => ("an object without a target", "the temporary file"),
        };
        let outcome = if state.end_taken { "whether it was stored is unknown" } else { "it is not stored" };
        let sentence = format!("{target}: {who} took nothing of it for {idle:?} (limits.backend-timeout); {outcome}");
        Error::timeout(sentence).into()
    }
}
