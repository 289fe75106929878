//! What is known of the connection from the client's events.

use std::sync::Arc;

use async_nats::{ClientError, ConnectErrorKind, Event, ServerError};
use tokio::sync::watch;

/// Tells all who wait for answers what becomes of the connection. The client itself lets them wait for answers that can
/// come no more.
#[derive(Clone)]
pub(crate) struct Pulse(Arc<watch::Sender<State>>);

/// The connection at one time.
#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    pub(crate) connected: bool,
    /// How often the connection was lost.
    pub(crate) losses: u64,
    /// How many attempts to connect have failed.
    pub(crate) failures: u64,
    /// Whether the last of these failed because the server did not let us in.
    pub(crate) refused: bool,
    /// How often the server has refused a call for want of permission.
    pub(crate) denials: u64,
    /// What it said the last time.
    pub(crate) denial: String,
}

impl Pulse {
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(State::default())))
    }

    pub(crate) fn watch(&self) -> watch::Receiver<State> {
        self.0.subscribe()
    }

    pub(crate) fn note(&self, event: Event) {
        self.0.send_if_modified(|state| state.note(event));
    }
}

impl State {
    /// True when the event says something new.
    fn note(&mut self, event: Event) -> bool {
        match event {
            Event::Connected => self.connected = true,
            Event::Disconnected | Event::Closed => {
                self.connected = false;
                self.losses += 1;
            }
            Event::ClientError(ClientError::Other(failure)) => {
                self.failures += 1;
                let refusals = [ConnectErrorKind::AuthorizationViolation, ConnectErrorKind::Authentication];
                self.refused = refusals.iter().any(|refusal| refusal.to_string() == failure);
            }
            Event::ServerError(ServerError::Other(said))
                if said.to_lowercase().starts_with("permissions violation") =>
            {
                self.denials += 1;
                self.denial = said;
            }
            _ => return false,
        }
        true
    }

    /// Whether the server has refused to let us send to `subject` since there were `denials`.
    pub(crate) fn denies(&self, subject: &str, denials: u64) -> bool {
        self.denials > denials && self.denial.to_lowercase().contains(&format!("\"{}\"", subject.to_lowercase()))
    }
}
