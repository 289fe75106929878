//! What one instance keeps in the host beside its own memory: in the host's memory as much again, in all, and on the
//! disk as much as `limits.spool`.

use std::{
    any::Any,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use slight_capabilities::{Error, Result};

use crate::{blob::OutgoingValue, key_value::Cas, messaging::Message, state::State};

/// Smaller things are not counted: the number of handles bounds them well enough.
const SMALL: usize = 4096;

impl State {
    /// Checks what the instance holds in all, now that something of `size` bytes is new or larger.
    ///
    /// # Errors
    /// `Other` when it is too much.
    pub fn check_held(&mut self, size: usize) -> Result<()> {
        if size <= SMALL {
            return Ok(());
        }
        let held: usize = self.table.iter_mut().map(|resource| bytes_of(resource)).sum();
        let limit = self.shared.limits.memory;
        if held <= limit {
            return self.memory.hold(held).then_some(()).ok_or_else(|| {
                Error::other(
                    "the host has no memory left for what the component wants to keep there (limits.total-memory)",
                )
            });
        }
        Err(Error::other(format!(
            "the component holds {held} bytes in the host (in messages, cas and outgoing-values), more than {limit} \
             (limits.memory); drop those no longer needed"
        )))
    }
}

/// The bytes that a resource has in the host, or may come to have without being asked again.
fn bytes_of(resource: &dyn Any) -> usize {
    let message = resource.downcast_ref().map(Message::size);
    let cas = || resource.downcast_ref().map(Cas::size);
    let value = || resource.downcast_ref().map(OutgoingValue::size);
    message.or_else(cas).or_else(value).unwrap_or_default()
}

/// The room that one instance has on the disk; by default none.
#[derive(Clone, Default)]
pub(crate) struct Disk {
    limit: u64,
    used: Arc<AtomicU64>,
}

impl Disk {
    pub fn new(limit: u64) -> Self {
        Self { limit, used: Arc::default() }
    }

    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// Takes room, if there is as much; [`give_back`](Self::give_back) ends that.
    pub fn take(&self, bytes: u64) -> bool {
        let more = |used: u64| used.checked_add(bytes).filter(|used| *used <= self.limit);
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    pub fn give_back(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_disk_is_shared_until_it_is_full() {
        let disk = Disk::new(10);
        let same = disk.clone();
        assert!(disk.take(6) && same.take(4));
        assert!(!disk.take(1));
        same.give_back(4);
        assert!(!disk.take(5) && disk.take(4));
    }
}
