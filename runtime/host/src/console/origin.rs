use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

/// Numbers the instances of this process.
static INSTANCES: AtomicU64 = AtomicU64::new(1);

/// An instance as the log knows it: what it says there must be told from what others say at the same time.
pub(crate) struct Origin {
    instance: u64,
    serving: Mutex<Option<Arc<str>>>,
}

/// An instance, and what it serves at a moment.
#[derive(Clone)]
pub(crate) struct Served {
    pub instance: u64,
    pub serving: Option<Arc<str>>,
}

impl Origin {
    pub fn new() -> Arc<Self> {
        Arc::new(Self { instance: INSTANCES.fetch_add(1, Ordering::Relaxed), serving: Mutex::default() })
    }

    pub fn instance(&self) -> u64 {
        self.instance
    }

    /// Says what the instance serves from here on: a request, a message.
    pub fn serve(&self, what: Arc<str>) {
        *self.serving.lock().unwrap_or_else(PoisonError::into_inner) = Some(what);
    }

    pub fn served(&self) -> Served {
        let serving = self.serving.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Served { instance: self.instance, serving }
    }
}
