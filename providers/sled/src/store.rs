use std::{
    fs::{self, File, OpenOptions},
    os::unix::fs::MetadataExt,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use parking_lot::RwLock;
use slight_capabilities::{Error, Readiness, Result};
use tokio::task::spawn_blocking;

use crate::{
    database::{self, LOG},
    errors::{ends_use, gone, hangs, opening, said},
    flusher::Flusher,
    room,
};

/// How long calls of a database that failed may take to end.
const ENDING: Duration = Duration::from_secs(5);

/// How long an attempt to open the database answers those that come after it.
const AGAIN: Duration = Duration::from_millis(100);

/// One database with one tree, opened again when it is gone, replaced or has failed.
#[derive(Clone)]
pub(crate) struct Store(Arc<Shared>);

struct Shared {
    path: PathBuf,
    tree: String,
    may_create: bool,
    state: RwLock<State>,
    /// Set when sled failed in a way that ends its use of the database.
    broken: AtomicBool,
}

#[derive(Default)]
struct State {
    open: Option<Arc<Open>>,
    failed: Option<(Instant, slight_capabilities::ErrorKind, String)>,
    /// It was open before.
    again: bool,
}

/// An open database.
pub(crate) struct Open {
    pub(crate) tree: sled::Tree,
    pub(crate) db: sled::Db,
    log: File,
    identity: (u64, u64),
    // Last, so that the database is closed on the flusher's thread: that flushes, and may never end where sled has failed.
    flusher: Flusher,
}

impl Store {
    /// The store in a directory that is not opened yet.
    pub(crate) fn new(path: PathBuf, tree: String, may_create: bool) -> Self {
        let (state, broken) = (RwLock::default(), AtomicBool::new(false));
        Self(Arc::new(Shared { path, tree, may_create, state, broken }))
    }

    /// Opens the database and the tree in it, and makes them if that may be.
    pub(crate) async fn prepare(&self) -> Result<()> {
        let open = self.in_background(|shared| shared.usable()).await?;
        // A tree that was made is to stay.
        open.flusher.flush().await
    }

    /// What [`Store::prepare`] would make.
    pub(crate) async fn inspect(&self) -> Result<Readiness> {
        self.in_background(|shared| {
            let Shared { path, tree, may_create, .. } = shared;
            match shared.state.read().open.clone() {
                None => database::inspect(path, tree, *may_create),
                Some(open) => database::inspect_tree(&open.db, path, tree, *may_create),
            }
        })
        .await
    }

    /// Does what needs no flush.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Open) -> sled::Result<T> + Send + 'static,
    ) -> Result<T> {
        self.in_background(|shared| {
            let done = read(&*shared.usable()?);
            done.map_err(|error| {
                shared.note(ends_use(&error));
                said(error)
            })
        })
        .await
    }

    /// Does what changes the database by about so many bytes, and returns when that is durable. What fails must not have
    /// changed anything.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        bytes: usize,
        write: impl FnOnce(&Open) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (value, open) = self
            .in_background(move |shared| {
                let open = shared.usable()?;
                room::reserve(&shared.path, Some(&open.log), bytes)?;
                let value = write(&open).inspect_err(|error| shared.note(crate::errors::is_failure(error)))?;
                Ok((value, open))
            })
            .await?;
        let flushed = open.flusher.flush().await;
        drop(open);
        self.in_background(move |shared| {
            shared.note(flushed.is_err());
            flushed?;
            // A file without a name is written to without an error, and lost.
            match shared.is_at_its_path() {
                true => Ok(value),
                false => Err(gone(&shared.path)),
            }
        })
        .await
    }

    async fn in_background<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Shared) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (shared, noted) = (self.0.clone(), self.0.clone());
        spawn_blocking(move || work(&shared)).await.map_err(|stopped| {
            // sled panics where it finds what it does not expect.
            noted.note(stopped.is_panic());
            Error::other("the work on the database was stopped").with_source(stopped)
        })?
    }
}

impl Shared {
    fn note(&self, failed: bool) {
        if failed {
            self.broken.store(true, Ordering::SeqCst);
        }
    }

    fn is_at_its_path(&self) -> bool {
        let state = self.state.read();
        state.open.as_ref().is_some_and(|open| self.found() == Some(open.identity))
    }

    /// The file that is in the place of the log: the numbers of its file system and its inode.
    fn found(&self) -> Option<(u64, u64)> {
        fs::metadata(self.path.join(LOG)).ok().filter(|found| found.len() > 0).map(|found| (found.dev(), found.ino()))
    }

    /// The database, opened if it is not open or not the one at the path any more.
    fn usable(&self) -> Result<Arc<Open>> {
        if let Some(open) = self.current(&self.state.read()) {
            return Ok(open);
        }
        let mut state = self.state.write();
        if let Some(open) = self.current(&state) {
            return Ok(open);
        }
        if let Some((at, kind, sentence)) = &state.failed
            && at.elapsed() < AGAIN
        {
            return Err(Error::new(*kind, sentence.clone()));
        }
        let opened = self.open_again(&mut state);
        state.failed = opened.as_ref().err().map(|error| (Instant::now(), error.kind(), error.message().to_owned()));
        opened
    }

    fn current(&self, state: &State) -> Option<Arc<Open>> {
        let open = state.open.as_ref()?;
        (self.found() == Some(open.identity) && !self.broken.load(Ordering::SeqCst)).then(|| open.clone())
    }

    fn open_again(&self, state: &mut State) -> Result<Arc<Open>> {
        if let Some(before) = state.open.take()
            && let Err(before) = close(before)
        {
            state.open = Some(before);
            return Err(hangs(&self.path));
        }
        let db = database::open(&self.path, self.may_create)?;
        let tree = database::open_tree(&db, &self.path, &self.tree, self.may_create)?;
        let failed = |error: std::io::Error| opening(&self.path, error.into());
        let log = OpenOptions::new().read(true).write(true).open(self.path.join(LOG)).map_err(failed)?;
        let found = log.metadata().map_err(failed)?;
        let identity = (found.dev(), found.ino());
        let flusher = Flusher::start(db.clone(), log.try_clone().map_err(failed)?)?;
        let open = Arc::new(Open { flusher, tree, db, log, identity });
        state.open = Some(open.clone());
        self.broken.store(false, Ordering::SeqCst);
        if std::mem::replace(&mut state.again, true) {
            tracing::warn!(
                "the database {} had failed, or was removed or replaced while it was in use, and was opened again with what \
                 is there now",
                self.path.display()
            );
        }
        Ok(open)
    }
}

/// Closes a database, so that its lock is free; gives it back where a call of it does not end.
fn close(open: Arc<Open>) -> Result<(), Arc<Open>> {
    let (mut open, since) = (open, Instant::now());
    loop {
        match Arc::try_unwrap(open) {
            Ok(open) => {
                drop(open);
                return Ok(());
            }
            Err(shared) if since.elapsed() > ENDING => return Err(shared),
            Err(shared) => open = shared,
        }
        thread::sleep(Duration::from_millis(5));
    }
}
