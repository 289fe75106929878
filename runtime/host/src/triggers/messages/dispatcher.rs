use std::{sync::Arc, time::Duration};

use futures_util::StreamExt;
use slight_capabilities::{Deliveries, Delivery, Error, ErrorKind};
use tokio::{
    task::{JoinError, JoinSet},
    time::{Instant, sleep_until, timeout_at},
};
use tokio_util::sync::CancellationToken;

use super::{Handler, delivery::Worker, source::Source};
use crate::{guard, messaging::Backoff, state::Shared};

/// The waits before a message that was not handled comes again. Backends wait whole seconds.
const FIRST_RETRY: Duration = Duration::from_millis(500);
const LONGEST_RETRY: Duration = Duration::from_secs(60);

/// The waits after a backend failed.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// How often a stream that has failed is looked at while it is waited for.
const LOOK: Duration = Duration::from_millis(100);

/// Receives the messages of one subscription and has them handled.
pub(super) struct Dispatcher<H> {
    source: Arc<Source>,
    shared: Arc<Shared>,
    handler: Arc<H>,
    pub retries: Backoff,
    pub outage: Backoff,
    deliveries: Option<Deliveries>,
}

impl<H: Handler> Dispatcher<H> {
    pub fn new(source: Source, shared: Arc<Shared>, handler: Arc<H>) -> Self {
        Self {
            source: Arc::new(source),
            shared,
            handler,
            retries: Backoff::new(FIRST_RETRY, LONGEST_RETRY),
            outage: Backoff::new(FIRST_WAIT, LONGEST_WAIT),
            deliveries: None,
        }
    }

    /// Tries once to subscribe, unless that was done.
    pub async fn connect(&mut self) {
        self.try_connect().await;
    }

    /// Receives until `stop`, and waits for what was begun by then.
    pub async fn run(mut self, stop: CancellationToken, abandon: CancellationToken) {
        let worker = Arc::new(Worker {
            source: self.source.clone(),
            shared: self.shared.clone(),
            handler: self.handler.clone(),
            retries: self.retries.clone(),
            stop: stop.clone(),
            abandon,
        });
        let mut running = JoinSet::new();
        stop.run_until_cancelled(self.receive(&worker, &mut running)).await;
        // The provider gives back what it had fetched ahead.
        drop(self.deliveries);
        while let Some(ended) = running.join_next().await {
            report(ended);
        }
    }

    /// Goes on for ever: whatever fails is tried again.
    async fn receive(&mut self, worker: &Arc<Worker<H>>, running: &mut JoinSet<()>) {
        loop {
            if let Some(error) = self.try_connect().await {
                self.pause(&error).await;
            }
            let Some(deliveries) = &mut self.deliveries else { continue };
            let (alone, budget) = (running.is_empty(), self.shared.budget.clone());
            // What there is no memory for is another member's.
            let delivery = async {
                budget.room(|| alone).await;
                deliveries.next().await
            };
            let delivery = tokio::select! {
                Some(ended) = running.join_next() => {
                    report(ended);
                    continue;
                }
                delivery = delivery, if running.len() < self.source.capacity => delivery,
            };
            match delivery {
                Some(Ok(delivery)) => {
                    self.outage.reset();
                    running.spawn(worker.clone().work(delivery));
                }
                Some(Err(error)) => {
                    guard::log(self.source.call("messaging receive", &self.source.group), &error);
                    if let Some(delivery) = self.pause(&error).await {
                        tracing::info!("the messages of {} are received again", self.source.describe());
                        self.outage.reset();
                        running.spawn(worker.clone().work(delivery));
                    }
                }
                None => {
                    self.deliveries = None;
                    let error = Error::unavailable("the backend ended the subscription");
                    guard::log(self.source.call("messaging receive", &self.source.group), &error);
                    self.pause(&error).await;
                }
            }
        }
    }

    async fn try_connect(&mut self) -> Option<Error> {
        if self.deliveries.is_none() {
            match self.source.subscribe(&self.shared).await {
                Ok(deliveries) => {
                    tracing::info!("receiving the messages of {}", self.source.describe());
                    self.deliveries = Some(deliveries);
                }
                Err(error) => return Some(error),
            }
        }
        None
    }

    /// Waits after a failure; for no longer than until the next message, if the stream goes on. Its further errors are
    /// those of the same outage, and may be from before we asked.
    async fn pause(&mut self, error: &Error) -> Option<Box<dyn Delivery>> {
        let (wait, group) = (self.outage.next(), &self.source.group);
        match error.kind() {
            // With its causes in the log already.
            ErrorKind::Unavailable | ErrorKind::Timeout | ErrorKind::Other => {
                tracing::info!(group, "no messages are received; trying again in {wait:.1?}");
            }
            _ => tracing::warn!(group, "no messages are received: {error}; trying again in {wait:.1?}"),
        }
        let end = Instant::now() + wait;
        while let Some(deliveries) = &mut self.deliveries {
            match timeout_at(end, deliveries.next()).await {
                Ok(Some(Ok(delivery))) => return Some(delivery),
                Ok(Some(Err(error))) => tracing::debug!(group, "still no messages are received: {error}"),
                Ok(None) => self.deliveries = None,
                Err(_) => return None,
            }
            sleep_until(end.min(Instant::now() + LOOK)).await;
        }
        sleep_until(end).await;
        None
    }
}

/// Workers are not stopped, so what is reported is a mistake of ours. The lease of the message ends by itself.
fn report(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!("the handling of a message ended early: {error}");
    }
}
