//! Where a body waits whose target is not known yet: a temporary file without a name, which vanishes with the process.

use std::{
    fs::File,
    io::{self, Read, Seek, Write},
    sync::Arc,
};

use bytes::Bytes;
use slight_capabilities::{Error, ErrorKind, Result};

use super::Pipe;
use crate::held::Disk;

/// How much is read back at a time.
const CHUNK: u64 = 256 * 1024;

/// Moves what the pipe holds into a file, until the pipe is bound. `None` when the body has failed.
pub(super) async fn run(pipe: Arc<Pipe>, disk: Disk) -> Option<Spool> {
    let result = async {
        let mut spool = Spool::create(disk).await?;
        while let Some(batch) = pipe.take_batch().await {
            pipe.release(spool.append(batch).await?);
        }
        spool.rewind().await?;
        Ok(spool)
    }
    .await;
    result.inspect_err(|error: &Error| report(&pipe, error)).ok()
}

fn report(pipe: &Pipe, error: &Error) {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    tracing::warn!(cause, "{error}");
    let failure = Error::new(error.kind(), error.message());
    pipe.fail(failure.into());
}

/// Bytes in a file: first all are appended, then, after [`rewind`](Self::rewind), all are read.
pub(super) struct Spool {
    file: Arc<File>,
    disk: Disk,
    /// Bytes in the file.
    taken: u64,
    /// Bytes in the file and not read yet.
    size: u64,
}

impl Drop for Spool {
    fn drop(&mut self) {
        self.disk.give_back(self.taken);
    }
}

impl Spool {
    async fn create(disk: Disk) -> Result<Self> {
        let file = blocking("created", tempfile::tempfile).await?;
        Ok(Self { file: Arc::new(file), disk, taken: 0, size: 0 })
    }

    /// Adds bytes; gives how many.
    async fn append(&mut self, batch: Vec<Bytes>) -> Result<usize> {
        let added: usize = batch.iter().map(Bytes::len).sum();
        if !self.disk.take(added as u64) {
            return Err(Error::new(
                ErrorKind::TooLarge,
                format!(
                    "more than {} bytes were written before write-data, in all bodies of this instance (limits.spool); \
                     call write-data first, then write the body",
                    self.disk.limit()
                ),
            ));
        }
        self.taken += added as u64;
        let file = self.file.clone();
        blocking("written", move || batch.iter().try_for_each(|bytes| (&*file).write_all(bytes))).await?;
        self.size += added as u64;
        Ok(added)
    }

    async fn rewind(&mut self) -> Result<()> {
        let file = self.file.clone();
        blocking("read", move || (&*file).rewind()).await
    }

    /// The next bytes; `None` at the end.
    pub async fn read(&mut self) -> Result<Option<Bytes>> {
        let length = self.size.min(CHUNK);
        if length == 0 {
            return Ok(None);
        }
        let file = self.file.clone();
        let bytes = blocking("read", move || {
            let mut buffer = vec![0; usize::try_from(length).map_err(io::Error::other)?];
            (&*file).read_exact(&mut buffer)?;
            Ok(Bytes::from(buffer))
        });
        let bytes = bytes.await?;
        self.size -= length;
        Ok(Some(bytes))
    }
}

/// Runs file I/O where it may block.
async fn blocking<T: Send + 'static>(done: &str, work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T> {
    let failed = || format!("the temporary file for a body written before write-data could not be {done}");
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result.map_err(|error| Error::other(failed()).with_source(error)),
        Err(error) => Err(Error::other(failed()).with_source(error)),
    }
}
