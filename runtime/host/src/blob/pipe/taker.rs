//! The side that takes: the spool first, then the provider.

use std::sync::Arc;

use bytes::Bytes;
use slight_capabilities::{ByteStream, Error, Result};
use tokio::time::Instant;

use super::{Pipe, Stage, source::Source};
use crate::blob::Failure;

/// The spool takes this much at a time.
const BATCH: usize = 256 * 1024;

impl Pipe {
    /// Connects the pipe to a provider's `write`, which is to take the stream. `target` says the object in words.
    ///
    /// # Errors
    /// `Invalid` when it is connected already; the failure of a body that cannot be stored.
    pub fn bind(self: &Arc<Self>, target: String) -> Result<ByteStream> {
        let mut state = self.state();
        if let Some(failure) = state.failure.clone() {
            return Err(failure.into());
        }
        if state.stage != Stage::Unbound {
            return Err(Error::invalid("this outgoing-value was given to write-data before; each is for one object"));
        }
        state.stage = Stage::Bound;
        state.target = Some(target);
        state.moved = Instant::now();
        let spooled = state.spooling.take();
        drop(state);
        // The spool stops where it is.
        self.data.notify_one();
        Ok(Source::new(self.clone(), spooled).into_stream())
    }

    pub fn is_bound(&self) -> bool {
        self.state().stage == Stage::Bound
    }

    /// Whether the taker has seen the end.
    pub fn is_taken(&self) -> bool {
        self.state().end_taken
    }

    pub fn is_abandoned(&self) -> bool {
        self.state().stage == Stage::Abandoned
    }

    pub fn failure(&self) -> Option<Failure> {
        self.state().failure.clone()
    }

    /// Makes everything fail from here on, unless it has failed already.
    pub fn fail(&self, failure: Failure) {
        self.state().fail(|| failure);
        self.data.notify_one();
        self.room.notify_one();
    }

    /// The next chunk, as soon as there is one; `None` at the end.
    pub(super) async fn take(&self) -> Option<Result<Bytes, Failure>> {
        loop {
            {
                let mut state = self.state();
                if let Some(failure) = state.failure.clone() {
                    return Some(Err(failure));
                }
                if let Some(chunk) = state.pop() {
                    state.held = state.held.saturating_sub(chunk.len());
                    self.room.notify_one();
                    return Some(Ok(chunk));
                }
                if state.ended {
                    state.end_taken = true;
                    state.moved = Instant::now();
                    return None;
                }
            }
            self.data.notified().await;
        }
    }

    /// What the spool is to store next; `None` once the provider takes over, or nobody will. The bytes count as held
    /// until they are [`released`](Self::release).
    pub(super) async fn take_batch(&self) -> Option<Vec<Bytes>> {
        loop {
            {
                let mut state = self.state();
                if state.stage != Stage::Unbound || state.failure.is_some() {
                    return None;
                }
                if state.held >= BATCH {
                    return Some(std::iter::from_fn(|| state.pop()).collect());
                }
            }
            self.data.notified().await;
        }
    }

    /// Says that bytes taken are no longer in memory.
    pub(super) fn release(&self, bytes: usize) {
        let mut state = self.state();
        state.held = state.held.saturating_sub(bytes);
        state.moved = Instant::now();
        drop(state);
        self.room.notify_one();
    }

    /// Says that something else than the pipe's own bytes moved.
    pub(super) fn moved(&self) {
        self.release(0);
    }

    /// Says how the provider's `write` ended. The first one counts.
    pub fn settle(&self, result: Result<(), Failure>) {
        let mut state = self.state();
        if state.outcome.is_some() {
            return;
        }
        if let Err(failure) = &result {
            state.fail(|| failure.clone());
        }
        state.outcome = Some(result);
        drop(state);
        self.room.notify_one();
    }
}
