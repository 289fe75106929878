use std::{path::PathBuf, sync::Arc};

use redb::{Database, ReadTransaction, ReadableDatabase};
use slight_capabilities::{Error, Readiness, Result};
use tokio::{sync::OnceCell, task::spawn_blocking};

use crate::{
    errors::{Failure, damaged},
    file,
    wakes::Wakes,
    writer::{Changes, Writer},
};

/// One database file: reads on snapshots, writes through the one [`Writer`].
pub(crate) struct Store {
    path: Arc<PathBuf>,
    open: OnceCell<Open>,
    wakes: Arc<Wakes>,
}

struct Open {
    db: Arc<Database>,
    writer: Writer,
}

impl Store {
    /// The store in a file that is not opened yet.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path: Arc::new(path), open: OnceCell::new(), wakes: Arc::default() }
    }

    /// Opens the file for a capability that keeps the table `table` in it, and makes it if that may be. The table itself is
    /// made by the capability, and checked here where it may not be.
    pub(crate) async fn prepare(&self, table: String, may_create: bool) -> Result<()> {
        let (path, wakes) = (self.path.clone(), self.wakes.clone());
        // Repairing a file after a crash takes a while.
        let opening = || {
            self.in_background(move || {
                let db = Arc::new(file::open(&path, may_create)?);
                let writer = Writer::start(db.clone(), wakes)?;
                Ok(Open { db, writer })
            })
        };
        let db = self.open.get_or_try_init(opening).await?.db.clone();
        if may_create {
            return Ok(());
        }
        let path = self.path.clone();
        self.in_background(move || file::find_table(&*db, &path, &table)).await
    }

    /// What [`Store::prepare`] would make.
    pub(crate) async fn inspect(&self, table: String, may_create: bool) -> Result<Readiness> {
        let path = self.path.clone();
        match self.open.get().map(|open| open.db.clone()) {
            None => self.in_background(move || file::inspect(&path, &table, may_create)).await,
            Some(db) => self.in_background(move || file::inspect_table(&*db, &path, &table, may_create)).await,
        }
    }

    /// Reads a snapshot: all that was committed before.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&ReadTransaction) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T> {
        let db = self.opened()?.db.clone();
        self.in_background(move || {
            let snapshot = db.begin_read().map_err(Failure::from)?;
            Ok(read(&snapshot)?)
        })
        .await
    }

    /// Changes the database, and returns when the change is durable. `bytes` is about how much is written.
    ///
    /// A change that is refused must not have changed anything before. The work is done even if nobody waits for it.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        bytes: usize,
        change: impl FnOnce(&mut Changes<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T> {
        self.opened()?.writer.write(bytes, change).await
    }

    /// Asks for a change that nobody waits for, and that may be left out when there is much to do.
    pub(crate) fn write_if_idle(&self, change: impl FnOnce(&mut Changes<'_>) -> Result<(), Failure> + Send + 'static) {
        if let Some(open) = self.open.get() {
            open.writer.write_if_idle(change);
        }
    }

    /// Whom to wake when a commit has changed a group of messages.
    pub(crate) fn wakes(&self) -> &Wakes {
        &self.wakes
    }

    fn opened(&self) -> Result<&Open> {
        self.open.get().ok_or_else(|| Error::unavailable("the database file has not been opened"))
    }

    /// redb takes the pages of a file for what it has written, and panics where they are not.
    async fn in_background<T: Send + 'static>(&self, work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
        spawn_blocking(work).await.map_err(|stopped| match stopped.is_panic() {
            true => damaged(&self.path),
            false => Error::other("the work on the database file was stopped").with_source(stopped),
        })?
    }
}
