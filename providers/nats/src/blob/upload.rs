use async_nats::{HeaderMap, HeaderValue};
use aws_lc_rs::digest::{Context, SHA256};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use slight_capabilities::{ByteStream, Error, ErrorKind, Result};
use tokio::{
    runtime::Handle,
    time::{Duration, Instant, timeout},
};

use super::{
    container::NatsContainer,
    mark::{self, Mark},
    meta::{Meta, Options, digest},
    pipeline::Pipeline,
};
use crate::{call::unique, errors, link::Lost};

/// How large the messages are that a content is cut into, as NATS's own clients do.
const CHUNK: usize = 128 * 1024;

/// How many writers of the same object a writer gives way to.
const RACES: usize = 100;

/// How long a writer waits until what is of no more use is removed.
const CLEANING: Duration = Duration::from_secs(2);

const EXPECTED: &str = "Nats-Expected-Last-Subject-Sequence";

/// One object on its way into a container: content that nothing refers to, until its description is published.
pub(super) struct Upload {
    container: NatsContainer,
    object: String,
    id: String,
    /// What is on its way to the server.
    pipeline: Option<Pipeline>,
    left: Left,
}

/// What is to be removed when an upload has ended.
enum Left {
    Nothing,
    /// The content: it has become no object.
    Content,
    /// The mark, and the content of the version before.
    Mark {
        replaced: Option<String>,
    },
    /// Nothing may be, since it is not known whether it has become an object. The sweep will know.
    Unknown,
}

impl Upload {
    pub(super) fn new(container: NatsContainer, object: &str) -> Self {
        Self { container, object: object.to_owned(), id: unique(), pipeline: None, left: Left::Nothing }
    }

    /// Stores the content.
    pub(super) async fn store(&mut self, mut body: ByteStream) -> Result<Meta> {
        let chunk = CHUNK.min(self.container.stream.link.max_payload().await?);
        self.pipeline = Some(Pipeline::open(&self.container.stream).await?);
        self.left = Left::Content;
        let mut marked = self.mark().await?;
        let subject = self.container.subjects.chunks(&self.id);
        let (mut hash, mut size, mut chunks) = (Context::new(&SHA256), 0, 0);
        let mut cutter = Cutter { chunk, rest: BytesMut::new() };
        let mut ended = false;
        while !ended {
            let piece = body.next().await.transpose()?;
            ended = piece.is_none();
            cutter.add(piece.unwrap_or_default());
            while let Some(part) = cutter.next(ended) {
                hash.update(&part);
                (size, chunks) = (size + part.len() as u64, chunks + 1);
                self.send(&subject, HeaderMap::new(), part).await?;
            }
            if marked.elapsed() > mark::RENEWED {
                marked = self.mark().await?;
            }
        }
        if let Some(pipeline) = &mut self.pipeline {
            pipeline.finish().await?;
        }
        Ok(Meta {
            name: self.object.clone(),
            bucket: self.container.bucket.clone(),
            id: self.id.clone(),
            size,
            chunks,
            digest: Some(digest(hash)),
            options: Some(Options { max_chunk_size: Some(chunk as u64), link: None }),
            metadata: None,
            deleted: false,
        })
    }

    async fn send(&mut self, subject: &str, headers: HeaderMap, payload: Bytes) -> Result<()> {
        match &mut self.pipeline {
            Some(pipeline) => pipeline.send(subject, headers, payload).await,
            None => Err(Error::other("the upload has ended")),
        }
    }

    async fn mark(&mut self) -> Result<Instant> {
        if self.container.marks {
            let subject = self.container.subjects.mark(&self.id);
            self.send(&subject, mark::only_one(), Mark::of(&self.object).write()?).await?;
        }
        Ok(Instant::now())
    }

    /// Makes the content the object of its name, in place of what was there when nobody else was faster.
    pub(super) async fn publish(&mut self, meta: Meta) -> Result<()> {
        for _ in 0..RACES {
            let state = self.container.state(&self.object).await?;
            let before = state.object.map(|object| object.meta.id);
            match self.replace(meta.clone().replacing(before.as_deref()), state.sequence).await {
                Ok(()) => {
                    self.left = Left::Mark { replaced: before };
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                Err(error) if error.kind() == ErrorKind::Timeout => return self.look(before, error).await,
                Err(error) => return Err(error),
            }
        }
        Err(Error::conflict(format!("the object {:?} is written by many others at the same time", self.object)))
    }

    async fn replace(&self, meta: Meta, expected: u64) -> Result<()> {
        let payload = serde_json::to_vec(&meta).map_err(errors::odd)?.into();
        let mut call = mark::replacing(self.container.subjects.meta(&self.object), payload);
        call.headers.get_or_insert_default().insert(EXPECTED, HeaderValue::from(expected));
        self.container.stream.publish(&call, Lost::Report).await.map(drop)
    }

    /// Looks whether the object is there, since the answer was lost.
    async fn look(&mut self, before: Option<String>, lost: Error) -> Result<()> {
        self.left = Left::Unknown;
        let found = self.container.state(&self.object).await.ok().and_then(|state| state.object);
        if found.is_some_and(|object| object.meta.id == self.id) {
            self.left = Left::Mark { replaced: before };
            return Ok(());
        }
        Err(lost)
    }

    /// Removes what is of no more use. What cannot be reached is left to the sweep.
    pub(super) async fn finish(mut self) {
        let cleaning = tokio::spawn(self.remains().clean());
        // It goes on where this is over: the caller may have waited for the server long enough.
        let _ = timeout(CLEANING, cleaning).await;
    }

    fn remains(&mut self) -> Remains {
        Remains {
            container: self.container.clone(),
            id: std::mem::take(&mut self.id),
            pipeline: self.pipeline.take(),
            left: std::mem::replace(&mut self.left, Left::Nothing),
        }
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        // At the end of the process there is no runtime: then the sweep finds it.
        if let (Left::Content, Ok(runtime)) = (&self.left, Handle::try_current()) {
            runtime.spawn(self.remains().clean());
        }
    }
}

/// What an upload leaves.
struct Remains {
    container: NatsContainer,
    id: String,
    pipeline: Option<Pipeline>,
    left: Left,
}

impl Remains {
    async fn clean(mut self) {
        let content = match &mut self.left {
            Left::Nothing | Left::Unknown => return,
            Left::Content => Some(self.id.clone()),
            Left::Mark { replaced } => replaced.take(),
        };
        if let Err(error) = self.remove(content.as_deref()).await {
            let bucket = &self.container.bucket;
            tracing::warn!("the parts of an upload to the object store {bucket:?} were not removed yet: {error}");
        }
    }

    /// Removes a content, and then the mark by which it would be found again.
    async fn remove(&mut self, content: Option<&str>) -> Result<()> {
        // The server takes what is sent to a stream and what is asked about it in no certain order: what is still on its
        // way would come after the removal.
        let settled = match &mut self.pipeline {
            Some(pipeline) => pipeline.settle().await,
            None => true,
        };
        let NatsContainer { stream, subjects, marks, .. } = &self.container;
        if let Some(content) = content {
            stream.purge(&subjects.chunks(content), None).await?;
        }
        if *marks && settled {
            stream.purge(&subjects.mark(&self.id), None).await?;
        }
        Ok(())
    }
}

/// Cuts a stream of pieces into chunks of one size.
struct Cutter {
    chunk: usize,
    rest: BytesMut,
}

impl Cutter {
    fn add(&mut self, piece: Bytes) {
        self.rest.extend_from_slice(&piece);
    }

    /// The next chunk that is full, or at the end whatever there is.
    fn next(&mut self, ended: bool) -> Option<Bytes> {
        let whole = self.rest.len() >= self.chunk || (ended && !self.rest.is_empty());
        whole.then(|| self.rest.split_to(self.chunk.min(self.rest.len())).freeze())
    }
}
