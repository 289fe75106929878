use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_util::Stream;
use slight_capabilities::{Delivery, Result};
use tokio::{runtime::Handle, sync::mpsc};

use super::member::{Item, give_back};

/// The deliveries of a member, as the subscriber sees them.
pub(super) struct Incoming {
    items: mpsc::Receiver<Item>,
}

impl Incoming {
    pub(super) fn new(items: mpsc::Receiver<Item>) -> Self {
        Self { items }
    }
}

impl Stream for Incoming {
    type Item = Result<Box<dyn Delivery>>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match ready!(self.items.poll_recv(context)) {
                // Nobody asked for so long that somebody else may have it.
                Some(Ok(delivery)) if delivery.is_over() => {}
                Some(Ok(delivery)) => return Poll::Ready(Some(Ok(Box::new(delivery)))),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        self.items.close();
        let mut unseen = Vec::new();
        while let Ok(item) = self.items.try_recv() {
            unseen.extend(item);
        }
        // At the end of the process there is no runtime: then their leases end by themselves.
        if let Ok(runtime) = Handle::try_current()
            && !unseen.is_empty()
        {
            runtime.spawn(give_back(unseen.into_iter()));
        }
    }
}
