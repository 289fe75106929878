use std::{fs::File, path::PathBuf, sync::Arc};

use slight_capabilities::{Error, Readiness, Result};
use tokio::{sync::OnceCell, task::spawn_blocking};

use crate::{
    database::{self, LOG},
    errors::{opening, said},
    flusher::Flusher,
};

/// One database.
pub(crate) struct Store {
    path: Arc<PathBuf>,
    open: OnceCell<Open>,
}

struct Open {
    // First, so that it ends before the database is closed.
    flusher: Flusher,
    db: sled::Db,
}

impl Store {
    /// The store in a directory that is not opened yet.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path: Arc::new(path), open: OnceCell::new() }
    }

    /// Opens the database and the tree in it, and makes them if that may be.
    pub(crate) async fn prepare(&self, tree: String, may_create: bool) -> Result<sled::Tree> {
        let path = self.path.clone();
        // Recovery after a crash takes a while.
        let opening = || {
            in_background(move || {
                let db = database::open(&path, may_create)?;
                let log = File::open(path.join(LOG)).map_err(|error| opening(&path, error.into()))?;
                Ok(Open { flusher: Flusher::start(db.clone(), log)?, db })
            })
        };
        self.open.get_or_try_init(opening).await?;
        let path = self.path.clone();
        self.write(move |db| database::open_tree(db, &path, &tree, may_create)).await
    }

    /// What [`Store::prepare`] would make.
    pub(crate) async fn inspect(&self, tree: String, may_create: bool) -> Result<Readiness> {
        let path = self.path.clone();
        match self.open.get().map(|open| open.db.clone()) {
            None => in_background(move || database::inspect(&path, &tree, may_create)).await,
            Some(db) => in_background(move || database::inspect_tree(&db, &path, &tree, may_create)).await,
        }
    }

    /// Does what needs no flush.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&sled::Db) -> sled::Result<T> + Send + 'static,
    ) -> Result<T> {
        let db = self.opened()?.db.clone();
        in_background(move || read(&db).map_err(said)).await
    }

    /// Does what changes the database, and returns when that is durable. What fails must not have changed anything.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        write: impl FnOnce(&sled::Db) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let open = self.opened()?;
        let db = open.db.clone();
        let value = in_background(move || write(&db)).await?;
        open.flusher.flush().await?;
        Ok(value)
    }

    fn opened(&self) -> Result<&Open> {
        self.open.get().ok_or_else(|| Error::unavailable("the database has not been opened"))
    }
}

async fn in_background<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let stopped = |error| Error::other("the work on the database was stopped").with_source(error);
    spawn_blocking(work).await.map_err(stopped)?
}
