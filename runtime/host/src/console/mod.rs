//! The standard output and error of guests that serve: written by a thread each, so that a reader who does not read
//! holds up the guests that write, and never the host.
//!
//! The output is that of the process. The error is not: it has the log of the host, whose entries a guest must not be able
//! to imitate, and each of which may have to be an object of JSON. So each line that a guest writes there is an entry.

mod lines;
mod origin;
mod quota;
mod stream;

use std::{
    io::{self, IsTerminal, Write},
    sync::Arc,
    thread,
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use self::lines::Lines;
pub(crate) use self::{
    origin::{Origin, Served},
    quota::LogQuota,
    stream::Output,
};

/// Writes that wait for the thread, of all guests together.
const WAITING: usize = 256;
/// The largest single write.
const CHUNK: usize = 16 * 1024;

/// Both streams, shared by all instances.
pub(crate) struct Consoles {
    stdout: Console,
    stdout_is_terminal: bool,
    stderr: Console,
    /// How much all instances may write to the log.
    pub quota: Arc<LogQuota>,
}

impl Consoles {
    /// `log_lines`: how many lines guests may write to the log in a second.
    pub fn new(log_lines: u32) -> Self {
        Self {
            quota: LogQuota::new(log_lines),
            stdout: Console::start("stdout", print),
            stdout_is_terminal: io::stdout().is_terminal(),
            stderr: Console::start("stderr", lines::log),
        }
    }

    /// The output of one instance.
    pub fn stdout(&self) -> Output {
        Output { chunks: self.stdout.chunks.clone(), terminal: self.stdout_is_terminal, lines: None }
    }

    /// The error of one instance.
    pub fn stderr(&self, origin: Arc<Origin>) -> Output {
        let chunks = self.stderr.chunks.clone();
        let lines = Arc::new(Lines::new(chunks.clone(), origin));
        Output { chunks, terminal: false, lines: Some(lines) }
    }

    /// Waits until what guests wrote is written, for at most `limit`.
    pub async fn flush(&self, limit: Duration) {
        let both = async { tokio::join!(self.stdout.flush(), self.stderr.flush()) };
        if timeout(limit, both).await.is_err() {
            tracing::warn!("some output of guests is lost: it was not read within {limit:?}");
        }
        self.quota.say_suppressed();
    }
}

/// One of the streams.
struct Console {
    chunks: mpsc::Sender<Item>,
}

pub(crate) enum Item {
    /// Bytes, and where they come from.
    Chunk(Bytes, Option<Served>),
    /// Says that all before it is written.
    Mark(oneshot::Sender<()>),
}

impl Console {
    fn start(name: &str, write: fn(&[u8], Option<&Served>)) -> Self {
        let (chunks, mut waiting) = mpsc::channel(WAITING);
        let run = move || {
            while let Some(item) = waiting.blocking_recv() {
                match item {
                    Item::Chunk(chunk, from) => write(&chunk, from.as_ref()),
                    // Nobody who waits for the mark is no reason to stop.
                    Item::Mark(written) => _ = written.send(()),
                }
            }
        };
        // Without a thread the channel is closed, and guests are told that the stream is.
        if let Err(error) = thread::Builder::new().name(name.to_owned()).spawn(run) {
            tracing::warn!("the {name} of guests is lost: {error}");
        }
        Self { chunks }
    }

    async fn flush(&self) {
        let (mark, written) = oneshot::channel();
        if self.chunks.send(Item::Mark(mark)).await.is_ok() {
            // An error says that the thread is gone, and with it all there was to wait for.
            let _ = written.await;
        }
    }
}

fn print(chunk: &[u8], _: Option<&Served>) {
    let mut out = io::stdout();
    // A reader that is gone is no reason to stop.
    let _ = out.write_all(chunk).and_then(|()| out.flush());
}
