use std::{
    collections::BTreeSet,
    sync::Arc,
    thread::{self, JoinHandle},
};

use redb::{Database, ReadableDatabase, TableDefinition, TableError, WriteTransaction};
use slight_capabilities::{Error, Result};
use tokio::sync::{mpsc, oneshot};

use crate::{
    errors::{Failure, aborted, unclear},
    wakes::Wakes,
};

/// How many writes wait at most; whoever comes then waits for room.
const QUEUE: usize = 1024;

/// How many writes share a transaction at most, and how many bytes end the gathering: a transaction is held in memory.
const BATCH: usize = 512;
const BATCH_BYTES: usize = 16 * 1024 * 1024;

/// Holds the last number given out.
const NUMBERS: TableDefinition<&str, u64> = TableDefinition::new("slight");
const LAST: &str = "last-number";

/// The one thread that writes to a database: it puts all writes that wait into one transaction, and answers them when
/// that is durable. While one transaction is synced to disk, the writes for the next gather.
pub(crate) struct Writer {
    /// Always there, but while the writer is dropped.
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

struct Job {
    bytes: usize,
    run: Box<dyn FnOnce(&mut Changes<'_>) -> Ran + Send>,
}

/// Tells the caller what came of its write, once it is known what came of the transaction.
type Answer = Box<dyn FnOnce(Result<()>) + Send>;

enum Ran {
    /// There is something to commit.
    Changed(Answer),
    /// There is not.
    Refused(Answer),
    /// The transaction is of no use any more.
    Broken(Answer, redb::Error),
}

/// A write transaction, shared by many writes.
pub(crate) struct Changes<'a> {
    pub(crate) transaction: &'a WriteTransaction,
    last_number: u64,
    touched: BTreeSet<u64>,
    unchanged: bool,
}

impl Changes<'_> {
    /// Says that the write at hand has found nothing to change: on its own it needs no commit.
    pub(crate) fn nothing_changed(&mut self) {
        self.unchanged = true;
    }

    /// A number that this file never gave out before.
    pub(crate) fn number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    /// Wakes those who wait for messages of a group, after the commit.
    pub(crate) fn wake(&mut self, group: u64) {
        self.touched.insert(group);
    }
}

impl Writer {
    pub(crate) fn start(db: Arc<Database>, wakes: Arc<Wakes>) -> Result<Self> {
        let last_number = last_number(&db)?;
        let (jobs, waiting) = mpsc::channel(QUEUE);
        let batches = Batches { db, last_number, wakes };
        let thread = thread::Builder::new().name("redb-writer".into()).spawn(|| batches.run(waiting));
        let thread = thread.map_err(|error| {
            Error::unavailable("the thread that writes to the database cannot be started").with_source(error)
        })?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    pub(crate) async fn write<T: Send + 'static>(
        &self,
        bytes: usize,
        change: impl FnOnce(&mut Changes<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T> {
        let ended = || Error::unavailable("nobody writes to the database any more; start slight again");
        let (answer, answered) = oneshot::channel();
        let job = Job { bytes, run: Box::new(|changes| run(change(changes), answer)) };
        let jobs = self.jobs.as_ref().ok_or_else(ended)?;
        jobs.send(job).await.map_err(|_| ended())?;
        answered.await.map_err(|_| ended())?
    }

    pub(crate) fn write_if_idle(&self, change: impl FnOnce(&mut Changes<'_>) -> Result<(), Failure> + Send + 'static) {
        let (answer, _) = oneshot::channel();
        let job = Job { bytes: 0, run: Box::new(|changes| run(change(changes), answer)) };
        if let Some(jobs) = &self.jobs {
            // With a full queue it is left out, as said.
            _ = jobs.try_send(job);
        }
    }
}

impl Drop for Writer {
    /// Waits for the writes asked for, so that the file is free for the next who opens it.
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            _ = thread.join();
        }
    }
}

fn run<T: Send + 'static>(result: Result<T, Failure>, answer: oneshot::Sender<Result<T>>) -> Ran {
    // Whoever asked may be gone; the write is made all the same.
    match result {
        Ok(value) => Ran::Changed(Box::new(|outcome| _ = answer.send(outcome.map(|()| value)))),
        Err(Failure::Refused(refusal)) => {
            // It was refused for what the transaction holds: that counts only if the transaction does.
            Ran::Refused(Box::new(|outcome| _ = answer.send(outcome.and(Err(refusal)))))
        }
        Err(Failure::Storage(error)) => {
            Ran::Broken(Box::new(|outcome| _ = answer.send(outcome.and(Err(Error::other("the write failed"))))), error)
        }
    }
}

fn last_number(db: &Database) -> Result<u64> {
    let read = || -> Result<u64, Failure> {
        let table = match db.begin_read()?.open_table(NUMBERS) {
            Err(TableError::TableDoesNotExist(_)) => return Ok(0),
            table => table?,
        };
        Ok(table.get(LAST)?.map_or(0, |number| number.value()))
    };
    Ok(read()?)
}

struct Batches {
    db: Arc<Database>,
    last_number: u64,
    wakes: Arc<Wakes>,
}

impl Batches {
    fn run(mut self, mut waiting: mpsc::Receiver<Job>) {
        while let Some(first) = waiting.blocking_recv() {
            let (mut bytes, mut batch) = (first.bytes, vec![first]);
            while batch.len() < BATCH && bytes < BATCH_BYTES {
                let Ok(job) = waiting.try_recv() else { break };
                bytes = bytes.saturating_add(job.bytes);
                batch.push(job);
            }
            self.write(batch);
        }
    }

    fn write(&mut self, batch: Vec<Job>) {
        let mut answers = Vec::with_capacity(batch.len());
        let outcome = match self.db.begin_write() {
            Ok(transaction) => self.transact(transaction, batch, &mut answers),
            // Dropping the jobs tells their callers.
            Err(_) => return,
        };
        for answer in answers {
            answer(match &outcome {
                Ok(()) => Ok(()),
                Err(Ended::Aborted(error)) => Err(aborted(error)),
                Err(Ended::Unclear(error)) => Err(unclear(error)),
            });
        }
    }

    fn transact(
        &mut self,
        transaction: WriteTransaction,
        batch: Vec<Job>,
        answers: &mut Vec<Answer>,
    ) -> Result<(), Ended> {
        let mut changes = Changes {
            transaction: &transaction,
            last_number: self.last_number,
            touched: BTreeSet::new(),
            unchanged: false,
        };
        let (mut changed, mut broken) = (false, None);
        for job in batch {
            changes.unchanged = false;
            answers.push(match (job.run)(&mut changes) {
                Ran::Changed(answer) => {
                    changed |= !changes.unchanged;
                    answer
                }
                Ran::Refused(answer) => answer,
                Ran::Broken(answer, error) => {
                    broken.get_or_insert(error);
                    answer
                }
            });
        }
        let Changes { last_number, touched, .. } = changes;
        if let Some(error) = broken {
            _ = transaction.abort();
            return Err(Ended::Aborted(error));
        }
        if !changed {
            _ = transaction.abort();
            return Ok(());
        }
        if last_number != self.last_number {
            keep_number(&transaction, last_number).map_err(Ended::Aborted)?;
        }
        transaction.commit().map_err(|error| Ended::Unclear(error.into()))?;
        self.last_number = last_number;
        self.wakes.wake(&touched);
        Ok(())
    }
}

/// How a transaction failed.
enum Ended {
    /// For certain nothing was changed.
    Aborted(redb::Error),
    /// It may be on the disk, or not.
    Unclear(redb::Error),
}

fn keep_number(transaction: &WriteTransaction, number: u64) -> Result<(), redb::Error> {
    transaction.open_table(NUMBERS)?.insert(LAST, number)?;
    Ok(())
}
