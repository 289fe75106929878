//! Work that the host does for a guest and that grows with what the guest passes, in slices: others on its thread are
//! served in between, and the invocation's deadline is seen.

use std::time::{Duration, Instant};

/// How long such work may keep its thread: as long as the guest itself may (`epochs.rs`).
const SLICE: Duration = Duration::from_millis(1);

/// How many items of a list are looked at between two looks at the clock.
pub(crate) const ITEMS: usize = 1024;

/// The slice that is being worked on.
pub(crate) struct Slices(Instant);

impl Slices {
    /// Begins the first slice.
    pub fn begin() -> Self {
        Self(Instant::now())
    }

    /// Yields if the slice is used up.
    pub async fn pause(&mut self) {
        if self.0.elapsed() >= SLICE {
            tokio::task::yield_now().await;
            self.0 = Instant::now();
        }
    }
}

/// Checks each item of a list that may be of any length.
///
/// # Errors
/// The first that there is.
pub(crate) async fn check_each<T, E>(items: &[T], check: impl Fn(&T) -> Result<(), E>) -> Result<(), E> {
    let mut slices = Slices::begin();
    for some in items.chunks(ITEMS) {
        some.iter().try_for_each(&check)?;
        slices.pause().await;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{
        future::Future,
        pin::pin,
        task::{Context, Waker},
    };

    use super::*;

    #[tokio::test]
    async fn a_slice_that_is_used_up_ends_with_a_yield() {
        let mut slices = Slices(Instant::now().checked_sub(SLICE).unwrap());
        let mut cx = Context::from_waker(Waker::noop());
        assert!(pin!(slices.pause()).poll(&mut cx).is_pending());
        let used_up = slices.0;
        slices.pause().await;
        assert!(slices.0 > used_up, "the next one has begun");
    }

    #[tokio::test]
    async fn the_first_mistake_in_a_list_is_found() {
        let items: Vec<usize> = (0..3 * ITEMS).collect();
        let check = |item: &usize| if *item % 2000 == 1999 { Err(*item) } else { Ok(()) };
        assert_eq!(check_each(&items, check).await, Err(1999));
        assert_eq!(check_each(&items, |_| Ok::<_, ()>(())).await, Ok(()));
    }
}
