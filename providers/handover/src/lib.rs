//! What providers share that lease messages from a server before a subscriber asks for them: a bounded hand-over from the
//! task that leases to the [`Deliveries`] of the subscriber.
//!
//! A message that nobody has seen when the subscriber goes is given back at once, and one whose lease is over is not
//! handed out.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use async_trait::async_trait;
use futures_core::Stream;
use futures_util::future::join_all;
use slight_capabilities::{Deliveries, Delivery, Error, Result};
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::sleep,
};
use tokio_util::task::{TaskTracker, task_tracker::TaskTrackerToken};

/// How long a member waits after an error before it asks the server again.
const PAUSE: Duration = Duration::from_millis(250);

/// A message that may have to be given back without anybody having seen it.
#[async_trait]
pub trait Leased: Delivery + Sized + 'static {
    /// True when the message may be with somebody else by now.
    fn is_over(&self) -> bool;

    /// Gives it back, as if it had never been leased. Where that fails, the lease ends by itself.
    async fn give_back(self);

    /// The subscriber takes it: from now on it counts as delivered. For providers that count no sooner; must not wait.
    fn taken(&mut self) {}
}

/// Room for one delivery of a subscription, which ends with the delivery that holds it.
pub type Room = OwnedSemaphorePermit;

/// The subscriber has gone: who leases for it stops.
#[derive(Debug)]
pub struct Gone;

/// The leasing end of a subscription. Its clones share the room.
///
/// Nothing here stops a request to the server in the middle: the messages leased by that would be nobody's until their
/// leases end.
pub struct Outlet<D> {
    items: mpsc::Sender<Result<D>>,
    room: Arc<Semaphore>,
    open: TaskTrackerToken,
}

impl<D> Clone for Outlet<D> {
    fn clone(&self) -> Self {
        Self { items: self.items.clone(), room: self.room.clone(), open: self.open.clone() }
    }
}

/// The subscriptions of a provider.
#[derive(Debug, Clone, Default)]
pub struct Subscriptions {
    /// Those that may still have something to give back.
    open: TaskTracker,
}

impl Subscriptions {
    /// The two ends of a subscription that holds at most `capacity` deliveries, and one at least. The deliveries end with
    /// the last outlet.
    pub fn open<D: Leased>(&self, capacity: usize) -> (Outlet<D>, Deliveries) {
        let (items, unseen) = mpsc::channel(1);
        let room = Arc::new(Semaphore::new(capacity.clamp(1, Semaphore::MAX_PERMITS)));
        (Outlet { items, room, open: self.open.token() }, Box::pin(Incoming { unseen, open: self.open.clone() }))
    }

    /// Waits until all have ended and given back what nobody saw: for `Provider::close`, after their streams were dropped.
    /// Whatever is still leased afterwards stays so until its lease is over.
    pub async fn given_back(&self) {
        self.open.close();
        self.open.wait().await;
    }
}

impl<D: Leased> Outlet<D> {
    /// Waits for room, and takes as much as there is then, up to `most`.
    ///
    /// # Errors
    /// When the subscriber has gone.
    pub async fn room(&self, most: usize) -> Result<Vec<Room>, Gone> {
        let first = self.unless_gone(self.room.clone().acquire_owned()).await?.map_err(|_| Gone)?;
        let mut rooms = vec![first];
        rooms.extend(self.more_room(most.saturating_sub(1)));
        Ok(rooms)
    }

    /// As much room as there is, up to `most`.
    pub fn more_room(&self, most: usize) -> Vec<Room> {
        std::iter::from_fn(|| self.room.clone().try_acquire_owned().ok()).take(most).collect()
    }

    /// Hands messages out in turn, and gives those back that nobody is there to take.
    ///
    /// # Errors
    /// When the subscriber has gone.
    pub async fn hand_out(&self, items: impl IntoIterator<Item = Result<D>>) -> Result<(), Gone> {
        let mut items = items.into_iter();
        while let Some(item) = items.next() {
            if item.as_ref().is_ok_and(D::is_over) {
                continue;
            }
            if let Err(unsent) = self.items.send(item).await {
                give_back(std::iter::once(unsent.0).chain(items)).await;
                return Err(Gone);
            }
        }
        Ok(())
    }

    /// Tells the subscriber of an error, and gives the server time.
    ///
    /// # Errors
    /// When the subscriber has gone.
    pub async fn report(&self, error: Error) -> Result<(), Gone> {
        self.items.send(Err(error)).await.map_err(|_| Gone)?;
        self.unless_gone(sleep(PAUSE)).await
    }

    /// Waits for something else than an answer of the server.
    ///
    /// # Errors
    /// When the subscriber has gone, which ends the waiting.
    pub async fn unless_gone<T>(&self, waiting: impl Future<Output = T>) -> Result<T, Gone> {
        tokio::select! {
            // Nothing more is leased for one who has gone, though there is room.
            biased;
            () = self.items.closed() => Err(Gone),
            done = waiting => Ok(done),
        }
    }
}

async fn give_back<D: Leased>(items: impl Iterator<Item = Result<D>>) {
    join_all(items.flatten().map(D::give_back)).await;
}

/// The deliveries of a member, as the subscriber sees them.
struct Incoming<D: Leased> {
    unseen: mpsc::Receiver<Result<D>>,
    open: TaskTracker,
}

impl<D: Leased> Stream for Incoming<D> {
    type Item = Result<Box<dyn Delivery>>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match ready!(self.unseen.poll_recv(context)) {
                // Nobody asked for so long that somebody else may have it.
                Some(Ok(delivery)) if delivery.is_over() => {}
                Some(Ok(mut delivery)) => {
                    delivery.taken();
                    return Poll::Ready(Some(Ok(Box::new(delivery))));
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
    }
}

impl<D: Leased> Drop for Incoming<D> {
    fn drop(&mut self) {
        self.unseen.close();
        // At the end of the process there is no runtime: then their leases end by themselves.
        let Ok(runtime) = Handle::try_current() else { return };
        let mut unseen = std::mem::replace(&mut self.unseen, mpsc::channel(1).1);
        // One may still come from an outlet that was told before that there is a place for it.
        let giving_back = async move {
            while let Some(item) = unseen.recv().await {
                give_back(std::iter::once(item)).await;
            }
        };
        self.open.spawn_on(giving_back, &runtime);
    }
}

#[cfg(test)]
mod tests;
