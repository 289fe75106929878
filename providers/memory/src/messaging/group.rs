use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use slight_capabilities::{Message, Outcome, retry_wait};
use tokio::{sync::Notify, time::Instant};

/// Stands for "never" where a time is beyond what the clock can say.
const FAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// The messages of one group of one topic.
///
/// A message is either ready or due later: leased until then, or waiting for its retry. A lease that nobody ends just
/// becomes due, so that a holder that dies needs no clean-up.
#[derive(Default)]
pub(super) struct Group {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    ready: VecDeque<Queued>,
    due: BTreeMap<Ticket, Queued>,
    last_ticket: u64,
    members: Vec<Arc<Notify>>,
    closed: bool,
}

/// A message in the group, with how many deliveries it had.
#[derive(Clone)]
struct Queued {
    message: Arc<Message>,
    count: u32,
}

/// One stay among the due: when it ends, and a number that is not used again. Who still finds it owns the lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket {
    due: Instant,
    number: u64,
}

/// A message given out.
pub(super) struct Leased {
    pub(super) ticket: Ticket,
    pub(super) message: Arc<Message>,
    pub(super) count: u32,
}

/// What a member finds.
pub(super) enum Take {
    Message(Leased),
    /// Nothing yet; something may be due at that time.
    Nothing(Option<Instant>),
    /// Nothing ever again: the group was deleted.
    Closed,
}

impl Group {
    /// Adds a member to wake when there may be something to take.
    pub(super) fn join(&self, wake: &Arc<Notify>) {
        self.state.lock().members.push(wake.clone());
    }

    pub(super) fn leave(&self, wake: &Arc<Notify>) {
        self.state.lock().members.retain(|member| !Arc::ptr_eq(member, wake));
    }

    pub(super) fn push(&self, message: Arc<Message>) {
        let mut state = self.state.lock();
        if !state.closed {
            state.make_ready(Queued { message, count: 0 });
        }
    }

    pub(super) fn take(&self, visibility: Duration) -> Take {
        let mut state = self.state.lock();
        if state.closed {
            return Take::Closed;
        }
        state.collect_due(Instant::now());
        let Some(mut queued) = state.ready.pop_front() else {
            return Take::Nothing(state.due.first_key_value().map(|(ticket, _)| ticket.due));
        };
        queued.count = queued.count.saturating_add(1);
        let Queued { message, count } = queued.clone();
        Take::Message(Leased { ticket: state.make_due(visibility, queued), message, count })
    }

    /// Begins a lease anew; `None` when it was lost.
    pub(super) fn extend(&self, ticket: Ticket, visibility: Duration) -> Option<Ticket> {
        let mut state = self.state.lock();
        let queued = state.due.remove(&ticket)?;
        Some(state.make_due(visibility, queued))
    }

    /// Ends a lease; false when it was lost.
    pub(super) fn settle(&self, ticket: Ticket, outcome: Outcome) -> bool {
        let mut state = self.state.lock();
        let Some(queued) = state.due.remove(&ticket) else { return false };
        match outcome {
            Outcome::Ack => {}
            Outcome::Retry { after: Duration::ZERO } => state.make_ready(queued),
            Outcome::Release => {
                state.make_ready(Queued { count: queued.count.saturating_sub(1), ..queued });
            }
            Outcome::Retry { after } => _ = state.make_due(retry_wait(after), queued),
        }
        true
    }

    /// Drops every message for good and sends the members away.
    pub(super) fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        state.ready.clear();
        state.due.clear();
        state.wake_members();
    }
}

impl State {
    /// At the end, whatever it was before: one message that fails again and again does not keep the others waiting.
    fn make_ready(&mut self, queued: Queued) {
        self.ready.push_back(queued);
        self.wake_members();
    }

    fn make_due(&mut self, after: Duration, queued: Queued) -> Ticket {
        let now = Instant::now();
        self.last_ticket += 1;
        let due = now.checked_add(after).unwrap_or_else(|| now + FAR);
        let ticket = Ticket { due, number: self.last_ticket };
        // Members sleep until the first that was due when they looked.
        let first = self.due.first_key_value().is_none_or(|(first, _)| ticket < *first);
        self.due.insert(ticket, queued);
        if first {
            self.wake_members();
        }
        ticket
    }

    fn collect_due(&mut self, now: Instant) {
        while let Some(first) = self.due.first_entry().filter(|first| first.key().due <= now) {
            let queued = first.remove();
            self.ready.push_back(queued);
        }
    }

    /// All of them: one alone might be about to leave, or not look for a while.
    fn wake_members(&self) {
        for member in &self.members {
            member.notify_one();
        }
    }
}
