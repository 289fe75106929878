use std::{
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread::{self, JoinHandle},
};

use redb::WriteTransaction;
use slight_capabilities::{Error, ErrorKind, Result};
use tokio::sync::{mpsc, oneshot};

use crate::{
    errors::{Failure, aborted, damaged, ends_use, unclear},
    held::Held,
    numbers,
    room::Room,
    wakes::Wakes,
};

/// How many writes wait at most; whoever comes then waits for room.
const QUEUE: usize = 1024;

/// How many writes share a transaction at most, and how many bytes end the gathering: a transaction is held in memory.
const BATCH: usize = 512;
const BATCH_BYTES: usize = 16 * 1024 * 1024;

/// The one thread that writes to a database: it puts all writes that wait into one transaction, and answers them when
/// that is durable. While one transaction is synced to disk, the writes for the next gather.
pub(crate) struct Writer {
    /// Always there, but while the writer is dropped.
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

struct Job {
    bytes: usize,
    /// Makes the change, or says why there is none.
    run: Run,
}

type Run = Box<dyn FnOnce(Result<&mut Changes<'_>>) -> Ran + Send>;

impl Job {
    fn new<T: Send + 'static>(
        bytes: usize,
        change: impl FnOnce(&mut Changes<'_>) -> Result<T, Failure> + Send + 'static,
        answer: oneshot::Sender<Result<T>>,
    ) -> Self {
        let run: Run = Box::new(|changes| match changes {
            Ok(changes) => run(change(changes), answer),
            Err(refusal) => run(Err(refusal.into()), answer),
        });
        Self { bytes, run }
    }

    fn refuse(self, why: Error) {
        if let Ran::Refused(answer) = (self.run)(Err(why)) {
            answer(Ok(()));
        }
    }
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

impl<'a> Changes<'a> {
    /// With the last number that was given out before.
    pub(crate) fn new(transaction: &'a WriteTransaction, last_number: u64) -> Self {
        Self { transaction, last_number, touched: BTreeSet::new(), unchanged: false }
    }

    pub(crate) fn last_number(&self) -> u64 {
        self.last_number
    }

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
    pub(crate) fn start(held: Arc<Held>, wakes: Arc<Wakes>) -> Result<Self> {
        let (jobs, waiting) = mpsc::channel(QUEUE);
        let batches = Batches { held, wakes };
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
        let (answer, answered) = oneshot::channel();
        self.ask(Job::new(bytes, change, answer)).await?;
        answered.await.map_err(|_| ended())?
    }

    pub(crate) async fn post(
        &self,
        change: impl FnOnce(&mut Changes<'_>) -> Result<(), Failure> + Send + 'static,
    ) -> Result<()> {
        let (answer, _) = oneshot::channel();
        self.ask(Job::new(0, change, answer)).await
    }

    pub(crate) fn write_if_idle(&self, change: impl FnOnce(&mut Changes<'_>) -> Result<(), Failure> + Send + 'static) {
        let (answer, _) = oneshot::channel();
        if let Some(jobs) = &self.jobs {
            // With a full queue it is left out, as said.
            _ = jobs.try_send(Job::new(0, change, answer));
        }
    }

    async fn ask(&self, job: Job) -> Result<()> {
        let jobs = self.jobs.as_ref().ok_or_else(ended)?;
        jobs.send(job).await.map_err(|_| ended())
    }
}

fn ended() -> Error {
    Error::timeout("the write was given up with the transaction that it was in, and its outcome is unknown")
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

struct Batches {
    held: Arc<Held>,
    wakes: Arc<Wakes>,
}

impl Batches {
    fn run(self, mut waiting: mpsc::Receiver<Job>) {
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

    fn write(&self, batch: Vec<Job>) {
        let mut room = Room::of(self.held.path());
        let (mut batch, mut answers) = (self.with_room(batch, &mut room), Vec::new());
        if batch.is_empty() {
            return;
        }
        let transacting = || self.held.write(|transaction| self.transact(transaction, &mut batch, &mut answers));
        // redb panics where pages are not what it has written.
        let outcome = catch_unwind(AssertUnwindSafe(transacting)).unwrap_or_else(|_| {
            self.held.break_off();
            Err(damaged(self.held.path()))
        });
        let failed = match outcome {
            // A file without a name is written to without an error, and lost.
            Ok(Ok(())) => self.held.check_written().err().map(|error| (error.kind(), error.message().to_owned())),
            Ok(Err(ended)) => Some(self.told(ended)),
            Err(error) => Some((error.kind(), error.message().to_owned())),
        };
        let failure = || failed.as_ref().map_or(Ok(()), |(kind, sentence)| Err(Error::new(*kind, sentence.clone())));
        answers.into_iter().for_each(|answer: Answer| answer(failure()));
        for job in batch {
            job.refuse(failure().err().unwrap_or_else(ended));
        }
    }

    /// The writes for which there is room on the disk; the others are refused.
    fn with_room(&self, batch: Vec<Job>, room: &mut Room) -> Vec<Job> {
        let mut fitting = Vec::with_capacity(batch.len());
        for job in batch {
            match room.take(self.held.path(), job.bytes) {
                Ok(()) => fitting.push(job),
                Err(full) => job.refuse(full),
            }
        }
        fitting
    }

    fn told(&self, ended: Ended) -> (ErrorKind, String) {
        let error = match &ended {
            Ended::Aborted(error) | Ended::Unclear(error) if ends_use(error) => {
                self.held.break_off();
                error
            }
            Ended::Aborted(error) | Ended::Unclear(error) => error,
        };
        let error = if matches!(ended, Ended::Aborted(_)) { aborted(error) } else { unclear(error) };
        (error.kind(), error.message().to_owned())
    }

    /// Takes the jobs that it has begun from the batch.
    fn transact(
        &self,
        transaction: WriteTransaction,
        batch: &mut Vec<Job>,
        answers: &mut Vec<Answer>,
    ) -> Result<(), Ended> {
        let before = self.held.last_number();
        let mut changes = Changes::new(&transaction, before);
        let (mut changed, mut broken) = (false, None);
        for job in batch.drain(..) {
            changes.unchanged = false;
            answers.push(match (job.run)(Ok(&mut changes)) {
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
        if last_number != before {
            numbers::keep(&transaction, last_number).map_err(Ended::Aborted)?;
        }
        transaction.commit().map_err(|error| Ended::Unclear(error.into()))?;
        self.held.set_last_number(last_number);
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
