//! The clock by which running guests are made to yield.

use std::{
    io,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    thread::{self, Thread},
    time::Duration,
};

use wasmtime::Engine;

/// How long a guest may run at a time: a loop without end holds up the others on its thread no longer, and its
/// invocation's timeout is seen.
const EPOCH: Duration = Duration::from_millis(1);

/// How soon the clock of an engine that is no more ends.
const IDLE: Duration = Duration::from_secs(1);

/// Advances the epoch of an engine for as long as there are instances. An idle host sleeps.
pub(crate) struct Epochs {
    running: AtomicUsize,
    thread: OnceLock<Thread>,
}

impl Epochs {
    /// Starts the clock of an engine.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub fn start(engine: &Engine) -> io::Result<Arc<Self>> {
        let epochs = Arc::new(Self { running: AtomicUsize::new(0), thread: OnceLock::new() });
        let (engine, clock) = (engine.weak(), epochs.clone());
        let tick = move || {
            while let Some(engine) = engine.upgrade() {
                if clock.running.load(Ordering::SeqCst) > 0 {
                    thread::sleep(EPOCH);
                    engine.increment_epoch();
                } else {
                    drop(engine);
                    thread::park_timeout(IDLE);
                }
            }
        };
        let thread = thread::Builder::new().name("epochs".into()).spawn(tick)?.thread().clone();
        // Nobody else sets it.
        let _ = epochs.thread.set(thread);
        Ok(epochs)
    }

    /// Counts an instance, for as long as the value lives.
    pub fn run(self: &Arc<Self>) -> Running {
        if self.running.fetch_add(1, Ordering::SeqCst) == 0
            && let Some(thread) = self.thread.get()
        {
            thread.unpark();
        }
        Running(self.clone())
    }
}

/// An instance that may run.
pub(crate) struct Running(Arc<Epochs>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}
