//! One message, from its delivery to its end.

use std::{
    pin::pin,
    sync::Arc,
    time::{Duration, SystemTime},
};

use slight_capabilities::{Delivery, ErrorKind, Outcome, Result};
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::{Handler, dead_letter::dead_letter, source::Source};
use crate::{
    messaging::{Backoff, Message},
    state::Shared,
};

/// A lease is renewed this often within its length, so that one failed renewal does not lose it.
const RENEWALS_PER_LEASE: u32 = 3;

/// A message of which nobody said how its deliveries ended has so many times `max-deliveries` of them: it may be what
/// ends the process each time, or just have been handled beside the one that did.
const UNREPORTED: u32 = 2;

/// What handling a message needs.
pub(super) struct Worker<H> {
    pub source: Arc<Source>,
    pub shared: Arc<Shared>,
    pub handler: Arc<H>,
    /// The waits before a message that was not handled comes again.
    pub retries: Backoff,
    /// From then on nothing begins.
    pub stop: CancellationToken,
    /// From then on nothing goes on.
    pub abandon: CancellationToken,
}

/// How handling ended.
enum Handled {
    Done,
    Failed(String),
    Abandoned,
}

impl<H: Handler> Worker<H> {
    /// Handles a message and settles it.
    pub async fn work(self: Arc<Self>, mut delivery: Box<dyn Delivery>) {
        if delivery.count() > self.source.max_deliveries.saturating_mul(UNREPORTED) {
            return self.bury(delivery, None).await;
        }
        let Some(place) = self.admit(&mut delivery).await else {
            // As if it had never been delivered.
            return self.settle(delivery, Outcome::Release).await;
        };
        match self.handle(&mut delivery, place).await {
            Handled::Done => self.settle(delivery, Outcome::Ack).await,
            // Another member may have it before this process ends.
            Handled::Abandoned => self.settle(delivery, Outcome::Retry { after: Duration::ZERO }).await,
            Handled::Failed(error) if delivery.count() >= self.source.max_deliveries => {
                self.bury(delivery, Some(&error)).await;
            }
            Handled::Failed(error) => self.retry(delivery, &error).await,
        }
    }

    async fn admit(&self, delivery: &mut Box<dyn Delivery>) -> Option<H::Place> {
        let admitted = async {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => None,
                place = self.handler.admit() => Some(place),
            }
        };
        self.leased(delivery, admitted).await
    }

    /// The handler has a task of its own: it goes on while a lease is renewed, and a panic ends nothing else.
    async fn handle(&self, delivery: &mut Box<dyn Delivery>, place: H::Place) -> Handled {
        let message =
            Message::received(delivery.topic().into(), self.source.backend.clone(), delivery.message().clone());
        let handling = self.handler.clone().handle(place, message);
        let mut handling = AbortOnDropHandle::new(tokio::spawn(handling));
        let handled = async {
            tokio::select! {
                biased;
                handled = &mut handling => match handled {
                    Ok(Ok(())) => Handled::Done,
                    Ok(Err(error)) => Handled::Failed(error),
                    Err(error) => Handled::Failed(format!("the host failed while the handler ran: {error}")),
                },
                () = self.abandon.cancelled() => Handled::Abandoned,
            }
        };
        self.leased(delivery, handled).await
    }

    /// Awaits `work` and keeps the message from being given to anybody else meanwhile.
    async fn leased<T>(&self, delivery: &mut Box<dyn Delivery>, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        let period = (self.source.visibility / RENEWALS_PER_LEASE).max(Duration::from_millis(1));
        let mut renewals = interval_at(Instant::now() + period, period);
        renewals.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                _ = renewals.tick() => {}
            }
            // Not cut short when the work is done: some backends need what a renewal answers to settle.
            if !self.renew(delivery.as_mut()).await {
                return work.await;
            }
        }
    }

    /// False when there is no lease any more.
    async fn renew(&self, delivery: &mut dyn Delivery) -> bool {
        let (topic, count) = (delivery.topic().to_owned(), delivery.count());
        let call = self.source.call("messaging extend", &topic);
        match self.shared.guarded(call, delivery.extend()).await {
            Err(error) if error.kind() == ErrorKind::Conflict => {
                let group = &self.source.group;
                tracing::warn!(topic, group, count, "the lease of a message ended while it was handled: {error}");
                false
            }
            // Logged by the guard; the next may succeed in time.
            Ok(()) | Err(_) => true,
        }
    }

    async fn retry(&self, delivery: Box<dyn Delivery>, error: &str) {
        let (topic, count) = (delivery.topic(), delivery.count());
        let (group, max) = (&self.source.group, self.source.max_deliveries);
        let after = self.retries.after(count);
        tracing::warn!(
            topic,
            group,
            count,
            "a message was not handled: {error}; it comes again in about {} s, {count} of {max} deliveries are used",
            after.as_secs_f64().ceil()
        );
        self.settle(delivery, Outcome::Retry { after }).await;
    }

    /// Moves a message to the dead-letter topic. It is there before it is gone here.
    async fn bury(&self, delivery: Box<dyn Delivery>, error: Option<&str>) {
        let (topic, count, group) = (delivery.topic(), delivery.count(), &self.source.group);
        let dead_letter = self.source.dead_letter_topic(topic).name;
        let why = error.unwrap_or("it was delivered before, and nobody said how that ended");
        tracing::warn!(
            topic,
            group,
            count,
            "a message was not handled: {why}; it goes to the dead-letter topic {dead_letter:?}"
        );
        match self.publish_dead_letter(delivery.as_ref(), error).await {
            Ok(()) => self.settle(delivery, Outcome::Ack).await,
            Err(error) => {
                let after = self.retries.after(count);
                tracing::error!(
                    topic,
                    group,
                    count,
                    "the dead-letter topic {dead_letter:?} did not take a message: {error}; the message stays in its group"
                );
                self.settle(delivery, Outcome::Retry { after }).await;
            }
        }
    }

    async fn publish_dead_letter(&self, delivery: &dyn Delivery, error: Option<&str>) -> Result<()> {
        let topic = self.source.dead_letter_topic(delivery.topic());
        let message = dead_letter(delivery, &self.source.group, error, SystemTime::now());
        let (provider, call) = (&self.source.backend.provider, self.source.call("messaging dead-letter", &topic.name));
        match self.shared.guarded(call, provider.publish(&topic, message)).await {
            // It came with less metadata, so that is what the backend can take.
            Err(error) if error.kind() == ErrorKind::TooLarge => {
                self.shared.guarded(call, provider.publish(&topic, delivery.message().clone())).await
            }
            published => published,
        }
    }

    async fn settle(&self, delivery: Box<dyn Delivery>, outcome: Outcome) {
        let (topic, count) = (delivery.topic().to_owned(), delivery.count());
        let call = self.source.call("messaging settle", &topic);
        if let Err(error) = self.shared.guarded(call, delivery.settle(outcome)).await {
            let group = &self.source.group;
            tracing::warn!(topic, group, count, "a message may come once more, since it could not be settled: {error}");
        }
    }
}
