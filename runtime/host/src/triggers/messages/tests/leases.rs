use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use slight_capabilities as capabilities;
use slight_capabilities::{Delivery, Error, Outcome, Result};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{
    super::delivery::Worker,
    support::{Closure, World, soon, text},
};
use crate::messaging::Backoff;

const VISIBILITY: Duration = Duration::from_secs(3);

#[tokio::test(start_paused = true)]
async fn a_message_stays_with_a_handler_that_takes_longer_than_its_lease() {
    let world = World::new();
    let (sender, mut ended) = mpsc::unbounded_channel();
    let handler = Closure::new(move |message| {
        let sender = sender.clone();
        async move {
            let text = text(&message.content).to_owned();
            if text == "long" {
                tokio::time::sleep(VISIBILITY * 4).await;
            }
            sender.send(text).unwrap();
            Ok(())
        }
    });
    let mut subscription = world.subscription(&["orders"], "billing");
    subscription.visibility = VISIBILITY;
    let running = world.run(subscription, handler).await;
    world.publish("orders", "long").await;
    assert_eq!(soon(ended.recv()).await.unwrap(), "long");
    world.publish("orders", "end").await;
    assert_eq!(soon(ended.recv()).await.unwrap(), "end", "the long one did not come twice");
    running.stop().await;
    assert!(ended.recv().await.is_none());
}

/// A delivery whose renewals end as told.
struct Renewed {
    message: capabilities::Message,
    renewals: mpsc::UnboundedSender<()>,
    failure: fn() -> Error,
    settled: Arc<Mutex<Option<Outcome>>>,
}

#[async_trait]
impl Delivery for Renewed {
    fn topic(&self) -> &str {
        "orders"
    }

    fn message(&self) -> &capabilities::Message {
        &self.message
    }

    fn count(&self) -> u32 {
        1
    }

    async fn extend(&mut self) -> Result<()> {
        self.renewals.send(()).unwrap();
        Err((self.failure)())
    }

    async fn settle(self: Box<Self>, outcome: Outcome) -> Result<()> {
        *self.settled.lock().unwrap() = Some(outcome);
        Ok(())
    }
}

/// Handles a message until `renewals` were tried, and a little longer; gives how many were tried, and the outcome.
async fn handle_through(renewals: usize, failure: fn() -> Error) -> (usize, Option<Outcome>) {
    let world = World::new();
    let (sender, mut renewed) = mpsc::unbounded_channel();
    let (finish, finished) = tokio::sync::oneshot::channel::<()>();
    let finished = Mutex::new(Some(finished));
    let handler = Closure::new(move |_| {
        let finished = finished.lock().unwrap().take().unwrap();
        async move { finished.await.map_err(|error| error.to_string()) }
    });
    let mut subscription = world.subscription(&["orders"], "billing");
    subscription.visibility = VISIBILITY;
    let worker = Arc::new(Worker {
        source: world.source(&subscription).into(),
        shared: world.shared(),
        handler: Arc::new(handler),
        retries: Backoff::new(Duration::ZERO, Duration::ZERO),
        stop: CancellationToken::new(),
        abandon: CancellationToken::new(),
    });
    let settled = Arc::new(Mutex::new(None));
    let message = super::message("work");
    let working =
        tokio::spawn(worker.work(Box::new(Renewed { message, renewals: sender, failure, settled: settled.clone() })));
    for _ in 0..renewals {
        soon(renewed.recv()).await.unwrap();
    }
    tokio::time::sleep(VISIBILITY).await;
    finish.send(()).unwrap();
    soon(working).await.unwrap();
    let more = std::iter::from_fn(|| renewed.try_recv().ok()).count();
    let settled = *settled.lock().unwrap();
    (renewals + more, settled)
}

#[tokio::test(start_paused = true)]
async fn a_lost_lease_is_not_renewed_again_and_the_result_is_settled_nevertheless() {
    let (tried, settled) = handle_through(1, || Error::conflict("the lease has ended")).await;
    assert_eq!((tried, settled), (1, Some(Outcome::Ack)));
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_fails_is_tried_again() {
    let (tried, settled) = handle_through(3, || Error::unavailable("no connection")).await;
    assert!(tried >= 3);
    assert_eq!(settled, Some(Outcome::Ack));
}
