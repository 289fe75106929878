//! The database file while it is in use: noticed when it is gone, replaced or cut off, and opened again where that helps.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::{Mutex, RwLock};
use redb::{Database, ReadOnlyDatabase, ReadTransaction, ReadableDatabase, TransactionError, WriteTransaction};
use slight_capabilities::{Error, ErrorKind, Readiness, Result};

use crate::{
    errors::{Failure, emptied, gone, read_only},
    file::{self, Opened},
    numbers,
    wakes::Wakes,
    writer::Changes,
};

/// How long an attempt to open the file answers those that come after it: it may take long and fail.
const AGAIN: Duration = Duration::from_millis(100);

/// What a capability makes in a file that was opened again; true when it is another file than before.
type Setup = Box<dyn Fn(&mut Changes<'_>, bool) -> Result<(), Failure> + Send + Sync>;

/// The file, whatever becomes of it.
pub(crate) struct Held {
    path: PathBuf,
    wakes: Arc<Wakes>,
    may_create: AtomicBool,
    state: RwLock<State>,
    /// How long the file is at least.
    length: AtomicU64,
    /// Set when redb failed in a way that ends its use of the file.
    broken: AtomicBool,
    /// How many other files have taken the place of the first.
    generation: AtomicU64,
    /// Changed by the writer, and while the file is opened.
    last_number: AtomicU64,
    setups: Mutex<Vec<Setup>>,
}

#[derive(Default)]
struct State {
    db: Option<Db>,
    /// Which file it is: the numbers of its file system and its inode.
    identity: Option<(u64, u64)>,
    /// Another file has taken its place, and is not in use yet.
    replaced: bool,
    failed: Option<(Instant, ErrorKind, String)>,
}

enum Db {
    Writable(Database),
    ReadOnly(ReadOnlyDatabase),
}

impl Held {
    pub(crate) fn new(path: PathBuf, wakes: Arc<Wakes>) -> Self {
        Self {
            path,
            wakes,
            may_create: AtomicBool::new(false),
            state: RwLock::default(),
            length: AtomicU64::new(0),
            broken: AtomicBool::new(false),
            generation: AtomicU64::new(0),
            last_number: AtomicU64::new(0),
            setups: Mutex::default(),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the file, and makes it if that may be.
    pub(crate) fn open(&self, may_create: bool) -> Result<()> {
        self.may_create.fetch_or(may_create, Ordering::SeqCst);
        // An earlier one may not have been allowed to make it.
        self.state.write().failed = None;
        self.usable(false)
    }

    /// Adds what is made whenever the file is opened again.
    pub(crate) fn set_up(&self, setup: impl Fn(&mut Changes<'_>, bool) -> Result<(), Failure> + Send + Sync + 'static) {
        self.setups.lock().push(Box::new(setup));
    }

    pub(crate) fn is_open(&self) -> bool {
        self.state.read().db.is_some()
    }

    pub(crate) fn is_read_only(&self) -> bool {
        matches!(self.state.read().db, Some(Db::ReadOnly(_)))
    }

    /// Another number when another file has taken the place of the one before.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }

    pub(crate) fn last_number(&self) -> u64 {
        self.last_number.load(Ordering::SeqCst)
    }

    pub(crate) fn set_last_number(&self, number: u64) {
        self.last_number.fetch_max(number, Ordering::SeqCst);
    }

    pub(crate) fn find_table(&self, table: &str) -> Result<()> {
        self.with(|db| file::find_table(db, &self.path, table))
    }

    pub(crate) fn inspect_table(&self, table: &str, may_create: bool) -> Result<Readiness> {
        self.with(|db| file::inspect_table(db, &self.path, table, may_create))
    }

    /// Reads a snapshot.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&ReadTransaction) -> Result<T, Failure>) -> Result<T> {
        self.usable(false)?;
        let done = self.with(|db| Ok(db.begin_read().map_err(Failure::from).and_then(|snapshot| read(&snapshot))))?;
        done.map_err(|failure| self.noted(failure))
    }

    /// Begins a write transaction and does all of it, with nobody opening the file anew meanwhile.
    pub(crate) fn write<T>(&self, write: impl FnOnce(WriteTransaction) -> T) -> Result<T> {
        self.usable(true)?;
        let state = self.state.read();
        match &state.db {
            Some(Db::Writable(db)) => match db.begin_write() {
                Ok(transaction) => Ok(write(transaction)),
                Err(error) => Err(self.noted(error.into())),
            },
            Some(Db::ReadOnly(_)) => Err(read_only(&self.path)),
            None => Err(gone(&self.path)),
        }
    }

    /// Says that the file must be opened again before it is used.
    pub(crate) fn break_off(&self) {
        self.broken.store(true, Ordering::SeqCst);
    }

    /// Whether what was committed is in the file that is at the path; remembers how long that is.
    pub(crate) fn check_written(&self) -> Result<()> {
        let found = fs::metadata(&self.path).ok();
        if found.as_ref().map(identity) != self.state.read().identity {
            return Err(gone(&self.path));
        }
        self.length.store(found.map_or(0, |found| found.len()), Ordering::SeqCst);
        Ok(())
    }

    fn with<T>(&self, work: impl FnOnce(&Db) -> Result<T>) -> Result<T> {
        match &self.state.read().db {
            Some(db) => work(db),
            None => Err(gone(&self.path)),
        }
    }

    /// Notes what ends the use of the file.
    fn noted(&self, failure: Failure) -> Error {
        if failure.ends_use() {
            self.break_off();
        }
        failure.into()
    }

    /// Opens the file if it is not open, or not the one at the path any more.
    fn usable(&self, to_write: bool) -> Result<()> {
        if self.is_usable(&self.state.read(), to_write) {
            return Ok(());
        }
        let mut state = self.state.write();
        if self.is_usable(&state, to_write) {
            return Ok(());
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

    fn is_usable(&self, state: &State, to_write: bool) -> bool {
        let Ok(found) = fs::metadata(&self.path) else { return false };
        let same = Some(identity(&found)) == state.identity;
        // Only the writer makes a file shorter, and looks when it does not.
        let cut = found.len() == 0 || (to_write && found.len() < self.length.load(Ordering::SeqCst));
        let writable = match &state.db {
            None => false,
            Some(Db::Writable(_)) => true,
            Some(Db::ReadOnly(_)) => !to_write || !file::is_writable(&self.path),
        };
        same && !cut && writable && !self.broken.load(Ordering::SeqCst)
    }

    fn open_again(&self, state: &mut State) -> Result<()> {
        let was_open = state.identity.is_some();
        // While it is still open: afterwards a new file may have the same numbers.
        state.replaced |= was_open && fs::metadata(&self.path).ok().as_ref().map(identity) != state.identity;
        let replaced = state.replaced;
        let is_empty = fs::metadata(&self.path).is_ok_and(|found| found.len() == 0);
        // Before anything else: it has the lock.
        state.db = None;
        if is_empty {
            // redb writes to a file that it closes.
            file::empty(&self.path);
            return Err(emptied(&self.path));
        }
        let opened = file::open(&self.path, self.may_create.load(Ordering::SeqCst))?;
        let found = fs::metadata(&self.path).map_err(|error| crate::errors::opening(&self.path, error.into()))?;
        let db = match opened {
            Opened::Writable(db) => {
                if was_open {
                    self.take_up(&db, replaced)?;
                } else {
                    self.set_last_number(numbers::last(&db)?);
                }
                Db::Writable(db)
            }
            Opened::ReadOnly(db) => Db::ReadOnly(db),
        };
        let length = fs::metadata(&self.path).map_or(0, |found| found.len());
        self.length.store(length, Ordering::SeqCst);
        *state = State { db: Some(db), identity: Some(identity(&found)), replaced: false, failed: None };
        self.broken.store(false, Ordering::SeqCst);
        if replaced {
            self.generation.fetch_add(1, Ordering::SeqCst);
            self.wakes.wake_all();
            tracing::warn!(
                "the database file {} was removed or replaced while it was in use: what is there now is used, and what \
                 was in the one before is in it no more",
                self.path.display()
            );
        } else if was_open {
            tracing::warn!("the database file {} was opened again", self.path.display());
        }
        Ok(())
    }

    /// Makes in a file that was opened again what was made in the one before.
    fn take_up(&self, db: &Database, replaced: bool) -> Result<()> {
        self.set_last_number(numbers::last(db)?);
        let set_up = || -> Result<(), Failure> {
            let transaction = db.begin_write()?;
            let mut changes = Changes::new(&transaction, self.last_number());
            for setup in &*self.setups.lock() {
                setup(&mut changes, replaced)?;
            }
            let last = changes.last_number();
            numbers::keep(&transaction, last)?;
            transaction.commit()?;
            self.set_last_number(last);
            Ok(())
        };
        set_up().map_err(Error::from)
    }
}

impl ReadableDatabase for Db {
    fn begin_read(&self) -> Result<ReadTransaction, TransactionError> {
        match self {
            Self::Writable(db) => db.begin_read(),
            Self::ReadOnly(db) => db.begin_read(),
        }
    }

    fn cache_stats(&self) -> redb::CacheStats {
        match self {
            Self::Writable(db) => db.cache_stats(),
            Self::ReadOnly(db) => db.cache_stats(),
        }
    }
}

fn identity(found: &fs::Metadata) -> (u64, u64) {
    (found.dev(), found.ino())
}
