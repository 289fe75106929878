use std::{ops::Range, time::Duration};

use async_nats::Message;
use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;
use futures_util::stream;
use slight_capabilities::{Blob, ByteRange, Error, Result};
use tokio::time::{Instant, sleep};

use super::{
    container::NatsContainer,
    meta::{Meta, digest},
    names,
};
use crate::{
    pull::{Pulled, Puller, Reader, SIZE, Stretch, place},
    target::RESPONSE,
};

/// About how many bytes are fetched in one round trip.
const AHEAD: u64 = 2 * 1024 * 1024;

/// How many chunks at most, whatever their size is said to be.
const MOST: u64 = 16;

/// How many chunks are looked at in one round trip, without their bytes, on the way to a range.
const LOOKED_AT: usize = 1000;

/// How often the next chunk is asked for before it is taken for gone.
const ATTEMPTS: u32 = 3;

/// How long a replica may be behind until what it does not have is taken for gone.
const BEHIND: Duration = Duration::from_secs(1);

/// How long to wait until a replica that is behind may have caught up.
const PAUSE: Duration = Duration::from_millis(20);

/// Opens an object for reading: the version that is there now, or fails.
pub(super) async fn open(container: &NatsContainer, object: &str, range: ByteRange) -> Result<Blob> {
    let end = Instant::now() + RESPONSE;
    let mut first = None;
    loop {
        let meta = container.find(object).await?.meta;
        if meta.is_link() {
            return Err(Error::invalid(format!("the object {object:?} is a link to another, which is not followed")));
        }
        let wanted = range.clamp(meta.size);
        let size = wanted.end - wanted.start;
        if size == 0 {
            return Ok(Blob { size, body: Box::pin(stream::empty()) });
        }
        if !names::is_id(&meta.id) || meta.chunks == 0 {
            return Err(incomplete(object));
        }
        let id = meta.id.clone();
        if let Some(body) = version(container, meta, wanted).await? {
            return Ok(Blob { size, body });
        }
        let (since, first) = first.get_or_insert_with(|| (Instant::now(), id.clone()));
        if *first == id && since.elapsed() > BEHIND {
            return Err(incomplete(object));
        }
        // It was overwritten just now, or a replica does not have it yet.
        if Instant::now() > end {
            return Err(changed(object));
        }
        sleep(PAUSE).await;
    }
}

/// The bytes of a version; `None` where its content is not there as the description has it.
async fn version(
    container: &NatsContainer,
    meta: Meta,
    wanted: Range<u64>,
) -> Result<Option<slight_capabilities::ByteStream>> {
    let subject = container.subjects.chunks(&meta.id);
    if meta.chunks == 1 {
        let found = container.stream.last(&subject).await?.filter(|found| found.data.len() as u64 == meta.size);
        let bytes = found.map(|found| found.data.slice(wanted.start as usize..wanted.end as usize));
        return Ok(bytes.map(|bytes| Box::pin(stream::iter([Ok(bytes)])) as _));
    }
    let Some(download) = Download::open(container, subject, meta, wanted).await? else { return Ok(None) };
    let bytes = stream::try_unfold(download, |mut download| async move {
        Ok(download.next().await?.map(|bytes| (bytes, download)))
    });
    Ok(Some(Box::pin(bytes)))
}

fn incomplete(object: &str) -> Error {
    Error::other(format!("the content of the object {object:?} is not there as its description has it: it is damaged"))
}

fn changed(object: &str) -> Error {
    Error::conflict(format!("the object {object:?} was overwritten or deleted while it was read; read it again"))
}

/// An object that is being read, as far as it was asked for.
struct Download {
    container: NatsContainer,
    subject: String,
    meta: Meta,
    reader: Reader,
    /// The sequence of the next chunk, at the least.
    from: u64,
    /// How many chunks are left, from the next one to the last of the object.
    chunks: u64,
    /// How many bytes of the next chunk are not wanted.
    skip: u64,
    /// How many bytes are left to give.
    left: u64,
    /// Of what has come so far, where all is read.
    hash: Option<Context>,
}

impl Download {
    async fn open(container: &NatsContainer, subject: String, meta: Meta, wanted: Range<u64>) -> Result<Option<Self>> {
        let mut place = Place { from: 1, chunks: meta.chunks, skip: wanted.start };
        if wanted.start > AHEAD {
            match locate(container, &subject, place).await? {
                Some(located) => place = located,
                None => return Ok(None),
            }
        }
        let Place { from, chunks, skip } = place;
        let stretch = Stretch { filter: &subject, from, headers_only: false };
        let reader = Reader::open(&container.stream, stretch).await?;
        if reader.pending != chunks {
            return Ok(None);
        }
        let whole = wanted.start == 0 && wanted.end == meta.size;
        let hash = (whole && meta.sha_256().is_some()).then(|| Context::new(&SHA256));
        let left = wanted.end - wanted.start;
        Ok(Some(Self { container: container.clone(), subject, meta, reader, from, chunks, skip, left, hash }))
    }

    /// The next bytes, until there are as many as were asked for.
    async fn next(&mut self) -> Result<Option<Bytes>> {
        let mut asked = 0;
        while self.left > 0 {
            match self.reader.puller.next().await? {
                Pulled::Message(message) => {
                    asked = 0;
                    if let Some(bytes) = self.take(message)? {
                        return Ok(Some(bytes));
                    }
                }
                Pulled::Done if self.chunks == 0 => return Err(incomplete(&self.meta.name)),
                Pulled::Done if asked == ATTEMPTS => return Err(changed(&self.meta.name)),
                Pulled::Done => {
                    asked += 1;
                    self.ask().await?;
                }
                Pulled::Nobody => self.reopen().await?,
            }
        }
        Ok(None)
    }

    async fn ask(&mut self) -> Result<()> {
        let size = self.meta.size.div_ceil(self.meta.chunks.max(1)).max(1);
        let count = (AHEAD / size).clamp(1, MOST).min(self.chunks);
        self.reader.puller.ask(count as usize, None).await
    }

    /// What is wanted of a chunk.
    fn take(&mut self, message: Message) -> Result<Option<Bytes>> {
        self.from = place(&message)?.sequence + 1;
        self.chunks = self.chunks.saturating_sub(1);
        let mut bytes = message.payload;
        if let Some(hash) = &mut self.hash {
            hash.update(&bytes);
        }
        let skipped = self.skip.min(bytes.len() as u64);
        self.skip -= skipped;
        bytes = bytes.slice(skipped as usize..);
        bytes.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
        self.left -= bytes.len() as u64;
        if self.left == 0 {
            self.check()?;
        }
        Ok((!bytes.is_empty()).then_some(bytes))
    }

    /// Before the last bytes are given, that all of them are those that were written.
    fn check(&mut self) -> Result<()> {
        if let (Some(found), Some(expected)) = (self.hash.take().map(digest), self.meta.sha_256())
            && found != expected
        {
            return Err(Error::other(format!("the content of the object {:?} is damaged", self.meta.name)));
        }
        Ok(())
    }

    /// Goes on where it was, after the server has forgotten the consumer: it was paused for long, or the server started
    /// again.
    async fn reopen(&mut self) -> Result<()> {
        let stretch = Stretch { filter: &self.subject, from: self.from, headers_only: false };
        self.reader = Reader::open(&self.container.stream, stretch).await?;
        if self.reader.pending == self.chunks { Ok(()) } else { Err(changed(&self.meta.name)) }
    }
}

/// Where in a content something is.
struct Place {
    from: u64,
    chunks: u64,
    skip: u64,
}

/// Finds the chunk with the first byte that is wanted, by the sizes alone.
async fn locate(container: &NatsContainer, subject: &str, start: Place) -> Result<Option<Place>> {
    let stretch = Stretch { filter: subject, from: start.from, headers_only: true };
    let mut reader = Reader::open(&container.stream, stretch).await?;
    if reader.pending != start.chunks {
        return Ok(None);
    }
    let Place { mut chunks, mut skip, .. } = start;
    loop {
        let before = chunks;
        reader.puller.ask(LOOKED_AT, None).await?;
        while let Some((sequence, size)) = sized(&mut reader.puller).await? {
            if skip < size {
                return Ok(Some(Place { from: sequence, chunks, skip }));
            }
            skip -= size;
            chunks = chunks.saturating_sub(1);
        }
        if chunks == before {
            return Ok(None);
        }
    }
}

async fn sized(puller: &mut Puller) -> Result<Option<(u64, u64)>> {
    let Pulled::Message(message) = puller.next().await? else { return Ok(None) };
    let size = message.headers.as_ref().and_then(|headers| headers.get(SIZE)?.as_str().parse().ok());
    let size = size.ok_or_else(|| Error::other("NATS left out the size of a message"))?;
    Ok(Some((place(&message)?.sequence, size)))
}
