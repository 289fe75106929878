//! Fresh instances: how many at a time, with what limits, and until when.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use wasmtime::{Result, Store, component::InstancePre};

use crate::{
    budget::Begun,
    deadlines::{Deadline, Deadlines},
    epochs::Epochs,
    state::{Shared, State},
};

/// Makes the instances of one app.
pub(crate) struct Instances {
    pub pre: InstancePre<State>,
    pub shared: Arc<Shared>,
    epochs: Arc<Epochs>,
    /// From then on nothing goes on: the time to drain is over.
    pub abandon: CancellationToken,
    requests: Arc<Semaphore>,
    messages: Arc<Semaphore>,
    waiting: AtomicUsize,
    /// Where requests wait, in the order in which they came.
    line: Mutex<()>,
    request_deadlines: Deadlines,
    message_deadlines: Deadlines,
}

/// The right to run one instance, and the memory that it begins with; giving it up lets the next one in.
pub(crate) struct Permit {
    _place: OwnedSemaphorePermit,
    _memory: Begun,
}

/// Why there is no place for an invocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overloaded {
    /// Too many wait already.
    Full,
    /// The wait took all of its time.
    Late,
    /// Either of them, while the memory of the process is used up.
    NoMemory,
}

impl Instances {
    pub fn new(pre: InstancePre<State>, shared: Arc<Shared>, epochs: Arc<Epochs>) -> Self {
        let (limits, abandon) = (&shared.limits, CancellationToken::new());
        Self {
            pre,
            requests: Arc::new(Semaphore::new(limits.concurrency)),
            messages: Arc::new(Semaphore::new(limits.concurrency)),
            waiting: AtomicUsize::new(0),
            line: Mutex::default(),
            request_deadlines: Deadlines::new(limits.timeout, abandon.clone()),
            // A message that is abandoned has not failed; its delivery sees to that.
            message_deadlines: Deadlines::new(limits.timeout, CancellationToken::new()),
            abandon,
            shared,
            epochs,
        }
    }

    /// The deadline of a request that begins now; passed too when it is abandoned.
    pub fn request_deadline(&self) -> Deadline {
        self.request_deadlines.begin()
    }

    /// The deadline of a message whose handling begins now.
    pub fn message_deadline(&self) -> Deadline {
        self.message_deadlines.begin()
    }

    /// Waits for the right to serve a request and for the memory to do it, in a bounded queue and no longer than the
    /// deadline.
    pub async fn admit(&self, deadline: &Deadline) -> Result<Permit, Overloaded> {
        if let Ok(place) = self.requests.clone().try_acquire_owned()
            && (self.shared.budget.has_room() || self.is_alone())
        {
            return Ok(self.permit(place));
        }
        let _waiting = Waiting::begin(&self.waiting, self.shared.limits.queue).map_err(|full| self.reason(full))?;
        tokio::select! {
            place = self.next_place() => place.map(|place| self.permit(place)),
            () = deadline.clone().passed() => Err(self.reason(Overloaded::Late)),
        }
    }

    async fn next_place(&self) -> Result<OwnedSemaphorePermit, Overloaded> {
        let _first = self.line.lock().await;
        let place = self.requests.clone().acquire_owned().await.map_err(|_| Overloaded::Full)?;
        self.shared.budget.room(|| self.is_alone()).await;
        Ok(place)
    }

    fn permit(&self, place: OwnedSemaphorePermit) -> Permit {
        Permit { _place: place, _memory: self.shared.budget.begin() }
    }

    fn reason(&self, overloaded: Overloaded) -> Overloaded {
        if self.shared.budget.has_room() { overloaded } else { Overloaded::NoMemory }
    }

    /// Whether nothing runs but the request whose place was just taken.
    fn is_alone(&self) -> bool {
        let (all, messages) = (self.shared.limits.concurrency, self.messages.available_permits());
        self.requests.available_permits() + 1 == all && messages == all
    }

    /// How many invocations run, requests and messages.
    pub fn running(&self) -> usize {
        let taken = |places: &Semaphore| self.shared.limits.concurrency.saturating_sub(places.available_permits());
        taken(&self.requests) + taken(&self.messages)
    }

    /// How many requests wait for a place.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Waits until no instance serves a request, nor goes on after its response.
    pub async fn idle(&self) {
        let all = u32::try_from(self.shared.limits.concurrency).unwrap_or(u32::MAX);
        // Nobody closes the semaphore.
        let _ = self.requests.acquire_many(all).await;
    }

    /// Waits for the right to handle a message, for as long as it takes. Messages have places of their own: a request
    /// that waits for the reply to a message must not hold the place of its handler.
    pub async fn admit_message(&self) -> Result<Permit, Overloaded> {
        let place = self.messages.clone().acquire_owned().await.map_err(|_| Overloaded::Full)?;
        Ok(self.permit(place))
    }

    /// A store for one fresh instance, with every limit set.
    ///
    /// A guest yields with every epoch, so whoever awaits it can stop at the deadline.
    pub fn store(&self) -> Result<Store<State>> {
        Ok(self.limited(State::new(self.shared.clone())?))
    }

    /// The same for the command.
    pub fn command_store(&self) -> Result<Store<State>> {
        Ok(self.limited(State::of_command(self.shared.clone())?))
    }

    fn limited(&self, mut state: State) -> Store<State> {
        state.running = Some(self.epochs.run());
        let mut store = Store::new(self.pre.engine(), state);
        store.limiter(|state| &mut state.memory);
        store.set_epoch_deadline(1);
        store.epoch_deadline_async_yield_and_update(1);
        // What a guest passes in one call is copied, in one go, before the host can say that it is too large.
        store.set_hostcall_fuel(self.shared.limits.passed_at_most());
        store
    }
}

/// A place in the queue.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn begin(waiting: &'a AtomicUsize, limit: usize) -> Result<Self, Overloaded> {
        let place = Waiting(waiting);
        // On failure the place is given back by `Drop`.
        if waiting.fetch_add(1, Ordering::Relaxed) < limit { Ok(place) } else { Err(Overloaded::Full) }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
