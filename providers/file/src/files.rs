use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
};

use bytes::{Bytes, BytesMut};
use futures_util::stream;
use slight_capabilities::{Blob, ByteRange, ByteStream, Error, Result};
use tokio::task::spawn_blocking;

use crate::errors::said;

/// How many bytes are read at a time.
const CHUNK: u64 = 256 * 1024;

/// Does work that waits for the disk on a thread that may wait.
pub(crate) async fn in_background<S: Send + 'static, T: Send + 'static>(
    state: S,
    work: impl FnOnce(S) -> Result<T> + Send + 'static,
) -> Result<T> {
    let stopped = |error| Error::other("the work on a file was stopped").with_source(error);
    spawn_blocking(move || work(state)).await.map_err(stopped)?
}

/// A range of an open file as a stream. The file is the one that was opened, whatever is at its path by then.
pub(crate) fn blob(mut file: File, size: u64, range: ByteRange) -> Result<Blob> {
    let range = range.clamp(size);
    file.seek(SeekFrom::Start(range.start)).map_err(|error| said("reading the object", error))?;
    let size = range.end - range.start;
    let body = stream::try_unfold((file, size), |(file, left)| async move {
        if left == 0 {
            return Ok(None);
        }
        let (file, bytes) = in_background(file, move |file| read_some(file, left)).await?;
        let left = left - bytes.len() as u64;
        Ok(Some((bytes, (file, left))))
    });
    Ok(Blob { size, body: Box::pin(body) as ByteStream })
}

fn read_some(mut file: File, left: u64) -> Result<(File, Bytes)> {
    let wanted = usize::try_from(left.min(CHUNK)).unwrap_or(usize::MAX);
    let mut bytes = BytesMut::zeroed(wanted);
    let read = file.read(&mut bytes).map_err(|error| said("reading the object", error))?;
    if read == 0 {
        return Err(Error::other("the file of the object was made shorter by another program while it was read"));
    }
    bytes.truncate(read);
    Ok((file, bytes.freeze()))
}
