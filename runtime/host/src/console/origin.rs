use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use super::quota::{Lines, LogQuota};

/// Numbers the instances of this process.
static INSTANCES: AtomicU64 = AtomicU64::new(1);

/// An instance as the log knows it: what it says there must be told from what others say at the same time.
pub(crate) struct Origin {
    instance: u64,
    serving: Mutex<Option<Arc<str>>>,
    quota: Arc<LogQuota>,
    part: Lines,
}

/// An instance, and what it serves at a moment.
#[derive(Clone)]
pub(crate) struct Served {
    pub instance: u64,
    pub serving: Option<Arc<str>>,
    origin: Arc<Origin>,
}

impl Served {
    /// Whether it may write a line of so many bytes to the log.
    pub fn may_log(&self, bytes: usize) -> bool {
        self.origin.quota.take(&self.origin.part, bytes)
    }
}

impl Origin {
    pub fn new(quota: &Arc<LogQuota>) -> Arc<Self> {
        Arc::new(Self {
            instance: INSTANCES.fetch_add(1, Ordering::Relaxed),
            serving: Mutex::default(),
            part: quota.part(),
            quota: quota.clone(),
        })
    }

    pub fn instance(&self) -> u64 {
        self.instance
    }

    /// Says what the instance serves from here on: a request, a message.
    pub fn serve(&self, what: Arc<str>) {
        *self.serving.lock().unwrap_or_else(PoisonError::into_inner) = Some(what);
    }

    pub fn served(self: &Arc<Self>) -> Served {
        let serving = self.serving.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Served { instance: self.instance, serving, origin: self.clone() }
    }
}
