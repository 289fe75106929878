use std::{
    io::{self, Write},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

/// The most that waits to be written, in bytes.
const MOST: usize = 4 << 20;

/// Entries on their way to a reader, written by a thread: one who does not read, or is gone, holds up nobody else. What
/// there is no room for is lost, and counted.
#[derive(Clone, Default)]
pub struct Queue(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Vec<u8>,
    lost: u64,
    writing: bool,
}

impl State {
    fn is_idle(&self) -> bool {
        self.waiting.is_empty() && !self.writing
    }
}

impl Queue {
    /// Starts the thread, which calls `lost` with how many entries were lost once there is room again.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub fn start(out: impl Write + Send + 'static, lost: fn(u64)) -> io::Result<Self> {
        let queue = Self::default();
        let shared = queue.clone();
        thread::Builder::new().name("log".into()).spawn(move || shared.write_to(out, lost))?;
        Ok(queue)
    }

    /// Adds an entry, whole or not at all.
    pub fn add(&self, entry: &[u8]) {
        let mut state = self.state();
        if state.waiting.len() + entry.len() <= MOST {
            state.waiting.extend_from_slice(entry);
            self.0.changed.notify_all();
        } else {
            state.lost += 1;
        }
    }

    /// Waits until all is written, for at most `limit`.
    pub fn flush(&self, limit: Duration) {
        let idle = self.0.changed.wait_timeout_while(self.state(), limit, |state| !state.is_idle());
        // Whether it is or not, there is nothing left to do.
        drop(idle);
    }

    fn write_to(&self, mut out: impl Write, lost: fn(u64)) {
        let mut taken = Vec::new();
        loop {
            let waited = self.0.changed.wait_while(self.state(), |state| state.waiting.is_empty());
            let mut state = waited.unwrap_or_else(PoisonError::into_inner);
            std::mem::swap(&mut state.waiting, &mut taken);
            state.writing = true;
            let missing = std::mem::take(&mut state.lost);
            drop(state);
            // There is nobody left to tell of a failure.
            let _ = out.write_all(&taken).and_then(|()| out.flush());
            taken.clear();
            if missing > 0 {
                lost(missing);
            }
            self.state().writing = false;
            self.0.changed.notify_all();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        atomic::{AtomicU64, Ordering},
        mpsc,
    };

    use super::*;

    /// Writes to whoever takes: until then it blocks.
    struct Pipe(mpsc::SyncSender<Vec<u8>>);

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.send(bytes.to_owned()).map_err(io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_who_does_not_read_holds_up_nobody_and_is_told_what_is_lost() {
        static LOST: AtomicU64 = AtomicU64::new(0);
        let (sender, reader) = mpsc::sync_channel(0);
        let queue = Queue::start(Pipe(sender), |lost| _ = LOST.fetch_add(lost, Ordering::SeqCst)).unwrap();
        let entry = vec![b'x'; MOST / 8];
        // The thread has at most eight of them, and as many wait.
        for _ in 0..20 {
            queue.add(&entry);
        }
        queue.flush(Duration::from_millis(10));
        let (mut written, mut lost) = (0, 0);
        while lost == 0 {
            // Before what is read: it is counted after that is written.
            lost = LOST.load(Ordering::SeqCst);
            let read = reader.recv_timeout(Duration::from_millis(20)).unwrap_or_default();
            written += (read.len() / entry.len()) as u64;
        }
        assert_eq!(written + lost, 20);
    }

    #[test]
    fn a_reader_who_is_gone_is_no_reason_to_stop() {
        let (sender, reader) = mpsc::sync_channel(8);
        drop(reader);
        let queue = Queue::start(Pipe(sender), |_| ()).unwrap();
        for _ in 0..3 {
            queue.add(b"entry\n");
            queue.flush(Duration::from_secs(60));
            assert!(queue.state().is_idle());
        }
    }
}
