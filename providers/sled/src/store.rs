use std::{
    fs::File,
    path::{Path, PathBuf},
};

use slight_capabilities::{Error, Result};
use tokio::task::spawn_blocking;

use crate::{
    errors::{opening, said},
    flusher::Flusher,
};

/// What sled keeps of the database in memory, in bytes.
const CACHE_BYTES: u64 = 64 * 1024 * 1024;

/// The file that sled keeps its log in, within the directory of the database.
const LOG: &str = "db";

/// One database.
pub(crate) struct Store {
    // First, so that it ends before the database is closed.
    flusher: Flusher,
    db: sled::Db,
}

impl Store {
    pub(crate) async fn open(path: PathBuf, may_create: bool) -> Result<Self> {
        // Recovery after a crash takes a while.
        in_background(move || {
            let db = open(&path, may_create)?;
            let log = File::open(path.join(LOG)).map_err(|error| opening(&path, error.into()))?;
            Ok(Self { flusher: Flusher::start(db.clone(), log)?, db })
        })
        .await
    }

    /// Does what needs no flush.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&sled::Db) -> sled::Result<T> + Send + 'static,
    ) -> Result<T> {
        let db = self.db.clone();
        in_background(move || read(&db).map_err(said)).await
    }

    /// Does what changes the database, and returns when that is durable. What fails must not have changed anything.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        write: impl FnOnce(&sled::Db) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let db = self.db.clone();
        let value = in_background(move || write(&db)).await?;
        self.flusher.flush().await?;
        Ok(value)
    }
}

fn open(path: &Path, may_create: bool) -> Result<sled::Db> {
    if !may_create && !path.join(LOG).exists() {
        return Err(Error::not_found(format!(
            "there is no sled database in {}; make it, or set \"create\" to true",
            path.display()
        )));
    }
    let config = sled::Config::new().path(path).cache_capacity(CACHE_BYTES);
    config.open().map_err(|error| opening(path, error))
}

async fn in_background<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let stopped = |error| Error::other("the work on the database was stopped").with_source(error);
    spawn_blocking(work).await.map_err(stopped)?
}
