use std::{fs::File, thread, time::Duration};

use parking_lot::Mutex;
use slight_capabilities::{Error, Result};
use tokio::sync::{mpsc, oneshot};

use crate::errors::unclear;

/// How many writes wait at most; whoever comes then waits for room.
const QUEUE: usize = 1024;

/// Answers a write that waits: why it is not durable, if it is not.
type Waiting = oneshot::Sender<Option<String>>;

/// The one thread that flushes. While it does, the writes for the next flush gather.
pub(crate) struct Flusher {
    /// Always there, but while the flusher is dropped.
    waiting: Option<mpsc::Sender<Waiting>>,
    /// Closed when the thread is over.
    over: Mutex<std::sync::mpsc::Receiver<()>>,
}

/// The longest that the end of the last flush is waited for: a flush of sled that failed may never end.
const ENDING: Duration = Duration::from_secs(5);

impl Flusher {
    /// Flushes `db`, whose log is `log`.
    pub(crate) fn start(db: sled::Db, log: File) -> Result<Self> {
        let (sender, waiting) = mpsc::channel(QUEUE);
        let (ended, over) = std::sync::mpsc::channel::<()>();
        let flushing = move || {
            run(&db, &log, waiting);
            // The database first: whoever waits opens it again.
            drop(db);
            drop(ended);
        };
        thread::Builder::new().name("sled-flusher".into()).spawn(flushing).map_err(|error| {
            Error::unavailable("the thread that flushes the database cannot be started").with_source(error)
        })?;
        Ok(Self { waiting: Some(sender), over: Mutex::new(over) })
    }

    /// Returns when all that was written before is durable.
    pub(crate) async fn flush(&self) -> Result<()> {
        let ended = || unclear("nobody flushes the database any more; start slight again");
        let (answer, answered) = oneshot::channel();
        let waiting = self.waiting.as_ref().ok_or_else(ended)?;
        waiting.send(answer).await.map_err(|_| ended())?;
        match answered.await.map_err(|_| ended())? {
            None => Ok(()),
            Some(reason) => Err(unclear(&reason)),
        }
    }
}

impl Drop for Flusher {
    /// Waits for the last flush, so that the database is free for the next who opens it.
    fn drop(&mut self) {
        drop(self.waiting.take());
        // Nothing is ever sent: it ends when the other side is dropped, or in time.
        _ = self.over.get_mut().recv_timeout(ENDING);
    }
}

fn run(db: &sled::Db, log: &File, mut waiting: mpsc::Receiver<Waiting>) {
    let mut answers = Vec::new();
    while let Some(first) = waiting.blocking_recv() {
        answers.push(first);
        // Those that came before the flush begins have written before.
        while let Ok(another) = waiting.try_recv() {
            answers.push(another);
        }
        let failed = flush(db, log).err();
        for answer in answers.drain(..) {
            // Whoever asked may be gone.
            _ = answer.send(failed.clone());
        }
    }
}

fn flush(db: &sled::Db, log: &File) -> Result<(), String> {
    db.flush().map_err(|error| error.to_string())?;
    // On Linux sled asks for the pages of the log alone, and not that the disk writes out its own cache.
    log.sync_data().map_err(|error| error.to_string())
}
