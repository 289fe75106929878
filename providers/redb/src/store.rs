use std::{path::PathBuf, sync::Arc};

use redb::ReadTransaction;
use slight_capabilities::{Error, Readiness, Result};
use tokio::{sync::OnceCell, task::spawn_blocking};

use crate::{
    errors::{Failure, damaged, read_only},
    file,
    held::Held,
    wakes::Wakes,
    writer::{Changes, Writer},
};

/// One database file: reads on snapshots, writes through the one [`Writer`].
pub(crate) struct Store {
    held: Arc<Held>,
    writer: OnceCell<Writer>,
    wakes: Arc<Wakes>,
}

impl Store {
    /// The store in a file that is not opened yet.
    pub(crate) fn new(path: PathBuf) -> Self {
        let wakes = Arc::<Wakes>::default();
        Self { held: Arc::new(Held::new(path, wakes.clone())), writer: OnceCell::new(), wakes }
    }

    /// Opens the file for a capability that keeps the table `table` in it, and makes it if that may be. The table itself is
    /// made by the capability if this gives true, and checked here where it may not be.
    pub(crate) async fn prepare(&self, table: String, may_create: bool) -> Result<bool> {
        let (held, wakes) = (self.held.clone(), self.wakes.clone());
        // Repairing a file after a crash takes a while.
        let opening = || {
            self.in_background(move || {
                held.open(may_create)?;
                Writer::start(held, wakes)
            })
        };
        self.writer.get_or_try_init(opening).await?;
        let held = self.held.clone();
        self.in_background(move || {
            held.open(may_create)?;
            match may_create && !held.is_read_only() {
                true => Ok(true),
                false => held.find_table(&table).map(|()| false),
            }
        })
        .await
    }

    /// What [`Store::prepare`] would make.
    pub(crate) async fn inspect(&self, table: String, may_create: bool) -> Result<Readiness> {
        let held = self.held.clone();
        self.in_background(move || match held.is_open() {
            false => file::inspect(held.path(), &table, may_create),
            true => held.inspect_table(&table, may_create),
        })
        .await
    }

    /// Fails when the file can only be read.
    pub(crate) fn check_writable(&self) -> Result<()> {
        if self.held.is_read_only() { Err(read_only(self.held.path())) } else { Ok(()) }
    }

    /// Adds what is made when the file was opened again; true when it is another file than before.
    pub(crate) fn set_up(&self, setup: impl Fn(&mut Changes<'_>, bool) -> Result<(), Failure> + Send + Sync + 'static) {
        self.held.set_up(setup);
    }

    /// Another number when another file has taken the place of the one before.
    pub(crate) fn generation(&self) -> u64 {
        self.held.generation()
    }

    /// Reads a snapshot: all that was committed before.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&ReadTransaction) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T> {
        self.opened()?;
        let held = self.held.clone();
        self.in_background(move || held.read(read)).await
    }

    /// Changes the database, and returns when the change is durable. `bytes` is about how much is written.
    ///
    /// A change that is refused must not have changed anything before. The work is done even if nobody waits for it.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        bytes: usize,
        change: impl FnOnce(&mut Changes<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T> {
        self.opened()?.write(bytes, change).await
    }

    /// Asks for a change that nobody waits for, before those that are asked for later.
    pub(crate) async fn post(
        &self,
        change: impl FnOnce(&mut Changes<'_>) -> Result<(), Failure> + Send + 'static,
    ) -> Result<()> {
        self.opened()?.post(change).await
    }

    /// The same, and that may be left out when there is much to do.
    pub(crate) fn write_if_idle(&self, change: impl FnOnce(&mut Changes<'_>) -> Result<(), Failure> + Send + 'static) {
        if let Some(writer) = self.writer.get() {
            writer.write_if_idle(change);
        }
    }

    /// Whom to wake when a commit has changed a group of messages.
    pub(crate) fn wakes(&self) -> &Wakes {
        &self.wakes
    }

    fn opened(&self) -> Result<&Writer> {
        self.writer.get().ok_or_else(|| Error::unavailable("the database file has not been opened"))
    }

    /// redb takes the pages of a file for what it has written, and panics where they are not.
    async fn in_background<T: Send + 'static>(&self, work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
        spawn_blocking(work).await.map_err(|stopped| match stopped.is_panic() {
            true => {
                self.held.break_off();
                damaged(self.held.path())
            }
            false => Error::other("the work on the database file was stopped").with_source(stopped),
        })?
    }
}
