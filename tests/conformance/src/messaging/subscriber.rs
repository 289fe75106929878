use std::time::Duration;

use futures_util::StreamExt;
use slight_capabilities::{Deliveries, Delivery, Outcome as Settlement, Result};
use tokio::time::{Instant, timeout_at};

use crate::{
    case::Patience,
    check::{Failure, Outcome, described, equal, require},
    race::until_wait,
};

/// One member of a group, as the cases see it.
pub(crate) struct Subscriber {
    deliveries: Deliveries,
    patience: Patience,
}

impl Subscriber {
    pub(crate) fn new(deliveries: Deliveries, patience: Patience) -> Self {
        Self { deliveries, patience }
    }

    /// The next delivery, which must come.
    pub(crate) async fn next(&mut self) -> Outcome<Box<dyn Delivery>> {
        let waited = self.patience.event;
        match self.next_until(Instant::now() + waited).await? {
            Some(delivery) => Ok(delivery),
            None => Err(Failure::new(format!("expected a delivery, found none within {waited:?}"))),
        }
    }

    /// The next delivery, which must be of this text.
    pub(crate) async fn next_is(&mut self, text: &str) -> Outcome<Box<dyn Delivery>> {
        let delivery = self.next().await.map_err(|failure| failure.within(format_args!("waiting for {text:?}")))?;
        equal("the message delivered", text_of(&*delivery), text.to_owned())?;
        Ok(delivery)
    }

    /// Stops asking for a delivery when there is none yet, for the `wait`th time. What came nevertheless.
    pub(super) async fn next_unless_dropped(&mut self, wait: usize) -> Outcome<Option<Box<dyn Delivery>>> {
        match until_wait(wait, self.deliveries.next()).await {
            None | Some(Some(Err(_))) => Ok(None),
            Some(Some(Ok(delivery))) => Ok(Some(delivery)),
            Some(None) => Err(Failure::new("expected a stream that goes on, found its end")),
        }
    }

    /// What comes before `deadline`, if anything does. Errors are transient, and so passed over.
    async fn next_until(&mut self, deadline: Instant) -> Outcome<Option<Box<dyn Delivery>>> {
        let mut last_error = None;
        loop {
            match timeout_at(deadline, self.deliveries.next()).await {
                Ok(Some(Ok(delivery))) => return Ok(Some(delivery)),
                Ok(Some(Err(error))) => last_error = Some(described(&error)),
                Ok(None) => {
                    return Err(Failure::new(format!(
                        "expected a stream that goes on, found its end after {last_error:?}"
                    )));
                }
                Err(_) => return Ok(None),
            }
        }
    }

    /// Takes `count` deliveries, acks them, and gives their texts in the order of the alphabet.
    pub(super) async fn ack_all(&mut self, count: usize) -> Outcome<Vec<String>> {
        let mut texts = Vec::with_capacity(count);
        for number in 0..count {
            let delivery =
                self.next().await.map_err(|failure| failure.within(format_args!("message {number} of {count}")))?;
            texts.push(text_of(&*delivery));
            delivery.settle(Settlement::Ack).await?;
        }
        texts.sort_unstable();
        Ok(texts)
    }

    /// Requires that nothing comes, as far as waiting can tell.
    pub(super) async fn gets_nothing(&mut self) -> Outcome {
        self.gets_nothing_for(self.patience.quiet).await
    }

    pub(super) async fn gets_nothing_for(&mut self, wait: Duration) -> Outcome {
        match self.next_until(Instant::now() + wait).await? {
            None => Ok(()),
            Some(delivery) => Err(Failure::new(format!(
                "expected no delivery, found {:?} of topic {:?}, count {}",
                text_of(&*delivery),
                delivery.topic(),
                delivery.count()
            ))),
        }
    }

    /// Requires that exactly these come, in any order, each once.
    pub(super) async fn gets(&mut self, expected: &[String]) -> Outcome {
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        let found = self.ack_all(expected.len()).await?;
        require(found == expected, format_args!("expected the messages {expected:?}, found {found:?}"))?;
        self.gets_nothing().await
    }
}

pub(crate) fn text_of(delivery: &dyn Delivery) -> String {
    String::from_utf8_lossy(&delivery.message().data).into_owned()
}

pub(crate) async fn ack(delivery: Box<dyn Delivery>) -> Result<()> {
    delivery.settle(Settlement::Ack).await
}

pub(super) async fn retry(delivery: Box<dyn Delivery>, after: Duration) -> Result<()> {
    delivery.settle(Settlement::Retry { after }).await
}

pub(super) async fn release(delivery: Box<dyn Delivery>) -> Result<()> {
    delivery.settle(Settlement::Release).await
}
