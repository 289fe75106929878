use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use redb::{Builder, Database, ReadTransaction, ReadableDatabase};
use slight_capabilities::{Error, Result};
use tokio::task::spawn_blocking;

use crate::{
    errors::{Failure, opening},
    wakes::Wakes,
    writer::{Changes, Writer},
};

/// What redb keeps of the file in memory, in bytes. The system caches the file besides.
const CACHE_BYTES: usize = 64 * 1024 * 1024;

/// One database file: reads on snapshots, writes through the one [`Writer`].
pub(crate) struct Store {
    db: Arc<Database>,
    writer: Writer,
}

impl Store {
    pub(crate) async fn open(path: PathBuf, may_create: bool) -> Result<Self> {
        // Repairing a file after a crash takes a while.
        in_background(move || {
            let db = Arc::new(open(&path, may_create)?);
            let writer = Writer::start(db.clone())?;
            Ok(Self { db, writer })
        })
        .await
    }

    /// Reads a snapshot: all that was committed before.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&ReadTransaction) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T> {
        let db = self.db.clone();
        in_background(move || {
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
        self.writer.write(bytes, change).await
    }

    /// Asks for a change that nobody waits for, and that may be left out when there is much to do.
    pub(crate) fn write_if_idle(&self, change: impl FnOnce(&mut Changes<'_>) -> Result<(), Failure> + Send + 'static) {
        self.writer.write_if_idle(change);
    }

    /// Whom to wake when a commit has changed a group of messages.
    pub(crate) fn wakes(&self) -> &Wakes {
        self.writer.wakes()
    }
}

fn open(path: &Path, may_create: bool) -> Result<Database> {
    let unusable = |error: io::Error| {
        Error::unavailable(format!("the directory of {} cannot be made: {error}", path.display())).with_source(error)
    };
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && !may_create => {
            return Err(Error::not_found(format!(
                "there is no database file {}; make it, or set \"create\" to true",
                path.display()
            )));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if let Some(directory) = path.parent() {
                fs::create_dir_all(directory).map_err(unusable)?;
            }
        }
        _ => {}
    }
    let db = Builder::new().set_cache_size(CACHE_BYTES).create(path).map_err(|error| opening(path, error))?;
    sync_entry(path).map_err(unusable)?;
    Ok(db)
}

/// Makes it durable that the file is there: what is synced in it is lost without its name.
fn sync_entry(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if cfg!(unix) { fs::File::open(directory)?.sync_all() } else { Ok(()) }
}

async fn in_background<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let stopped = |error| Error::other("the work on the database file was stopped").with_source(error);
    spawn_blocking(work).await.map_err(stopped)?
}
