use std::{sync::Arc, time::SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use slight_capabilities::{
    Blob, BlobStore, ByteRange, ByteStream, Container, ContainerInfo, Cursor, Error, ErrorKind, ObjectInfo, Page,
    QualifiedName, Result, encode_name,
};
use tokio::sync::mpsc;

use super::{
    Fault::{self, *},
    SharedChunks,
};

pub(super) struct FaultyContainer {
    pub(super) inner: Arc<dyn Container>,
    pub(super) fault: Option<Fault>,
    pub(super) store: Arc<dyn BlobStore>,
    pub(super) name: QualifiedName,
    pub(super) shared: SharedChunks,
}

pub(super) async fn store(container: &dyn Container, object: &str, content: impl Into<Bytes>) -> Result<()> {
    container.write(object, Box::pin(stream::iter([Ok(content.into())]))).await
}

async fn content(blob: Blob) -> Result<Bytes> {
    Ok(blob.body.try_collect::<Vec<_>>().await?.concat().into())
}

impl FaultyContainer {
    fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    fn object(&self, object: &str) -> Result<String> {
        match self.fault {
            Some(RefusesOddObjects) if object.contains('\0') => Err(Error::invalid("odd")),
            Some(EncodesLocations) if self.name.prefix == "location" => Ok(encode_name(object)),
            _ => Ok(object.to_owned()),
        }
    }

    async fn write_in_parts(&self, object: &str, mut body: ByteStream) -> Result<()> {
        let mut whole = Vec::new();
        while let Some(chunk) = body.next().await {
            match chunk {
                Ok(chunk) => whole.extend_from_slice(&chunk),
                Err(error) => {
                    store(&*self.inner, object, whole).await?;
                    return Err(error);
                }
            }
            if self.has(ShowsEarly) {
                store(&*self.inner, object, whole.clone()).await?;
            }
        }
        store(&*self.inner, object, whole).await
    }

    async fn write_with_others(&self, object: &str, mut body: ByteStream) -> Result<()> {
        let mut place = 0;
        while let Some(chunk) = body.next().await.transpose()? {
            let mut shared = self.shared.lock().unwrap();
            let chunks = shared.entry(object.to_owned()).or_default();
            chunks.resize(chunks.len().max(place + 1), Bytes::new());
            *chunks.get_mut(place).unwrap() = chunk;
            place += 1;
        }
        let whole = self.shared.lock().unwrap().get(object).cloned().unwrap_or_default();
        store(&*self.inner, object, whole.concat()).await
    }

    async fn write_from_queue(&self, object: &str, mut body: ByteStream) -> Result<()> {
        let (sender, receiver) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Some(chunk) = body.next().await {
                if sender.send(chunk).is_err() {
                    return;
                }
            }
        });
        let queued = stream::unfold(receiver, |mut receiver| async move { Some((receiver.recv().await?, receiver)) });
        self.inner.write(object, Box::pin(queued)).await
    }

    /// A stream that asks for the object as it is now, piece by piece.
    fn read_anew(&self, object: &str, blob: Blob) -> Blob {
        let size = blob.size;
        let state = (self.inner.clone(), object.to_owned(), 0);
        let body = stream::unfold(state, move |(inner, object, start)| async move {
            if start >= size {
                return None;
            }
            let piece = async {
                let mut blob = inner.read(&object, ByteRange { start, end: size - 1 }).await?;
                Ok(blob.body.next().await.transpose()?.unwrap_or_default())
            };
            let piece: Result<Bytes> = piece.await;
            let end = start + piece.as_ref().map_or(0, |piece| piece.len() as u64);
            // Where nothing is left it pretends to be done.
            (end > start).then_some((piece, (inner, object, end)))
        });
        Blob { size, body: Box::pin(body) }
    }
}

#[async_trait]
impl Container for FaultyContainer {
    async fn info(&self) -> Result<ContainerInfo> {
        let info = self.inner.info().await?;
        Ok(match self.fault {
            Some(TellsNoTime) => ContainerInfo { created_at: SystemTime::UNIX_EPOCH },
            Some(RefreshesTheCreation) => ContainerInfo { created_at: SystemTime::now() },
            _ => info,
        })
    }

    async fn read(&self, object: &str, range: ByteRange) -> Result<Blob> {
        let object = self.object(object)?;
        let size = match self.inner.stat(&object).await {
            Ok(info) => info.size,
            Err(_) if self.has(ReadsTheMissing) => return Ok(Blob { size: 0, body: Box::pin(stream::empty()) }),
            Err(error) => return Err(error),
        };
        let mut asked = range;
        match self.fault {
            Some(ExcludesTheEnd) if range.end < size => asked.end = range.end.saturating_sub(1),
            Some(RefusesEndsPast) if range.end >= size && range != ByteRange::ALL => {
                return Err(Error::invalid("out of range"));
            }
            Some(RefusesStartsPast) if range.start >= size && range != ByteRange::ALL => {
                return Err(Error::invalid("out of range"));
            }
            _ => {}
        }
        let mut blob = self.inner.read(&object, asked).await?;
        match self.fault {
            Some(TellsTheWholeSize) => blob.size = size,
            Some(ReadsAnew) if range == ByteRange::ALL => return Ok(self.read_anew(&object, blob)),
            _ => {}
        }
        Ok(blob)
    }

    async fn write(&self, object: &str, body: ByteStream) -> Result<()> {
        let object = &self.object(object)?;
        match self.fault {
            Some(CutsTheEnd) => {
                self.inner.write(object, body).await?;
                let mut whole = content(self.inner.read(object, ByteRange::ALL).await?).await?;
                whole.truncate(whole.len().saturating_sub(1));
                store(&*self.inner, object, whole).await
            }
            Some(LosesAChunk) => {
                let kept = body.enumerate().filter_map(async |(number, chunk)| (number != 130).then_some(chunk));
                self.inner.write(object, Box::pin(kept)).await
            }
            Some(Appends) => match self.inner.read(object, ByteRange::ALL).await {
                Ok(old) => self.inner.write(object, Box::pin(old.body.chain(body))).await,
                Err(_) => self.inner.write(object, body).await,
            },
            Some(HasDirectories) => {
                for (end, _) in object.match_indices('/') {
                    if self.inner.stat(object.get(..end).unwrap_or_default()).await.is_ok() {
                        return Err(Error::new(ErrorKind::Other, "not a directory"));
                    }
                }
                self.inner.write(object, body).await
            }
            Some(CreatesForObjects) => {
                if let Some((directory, _)) = object.split_once('/') {
                    let name = format!("{}/{directory}", self.name.name);
                    _ = self.store.create(&QualifiedName::new(&self.name.prefix, name)).await;
                }
                self.inner.write(object, body).await
            }
            Some(ShowsEarly | KeepsPartial) => self.write_in_parts(object, body).await,
            Some(MixesWriters) => self.write_with_others(object, body).await,
            Some(PullsAhead) => self.write_from_queue(object, body).await,
            _ => self.inner.write(object, body).await,
        }
    }

    async fn stat(&self, object: &str) -> Result<ObjectInfo> {
        let mut info = self.inner.stat(&self.object(object)?).await?;
        if self.has(TellsNoTime) {
            info.created_at = SystemTime::UNIX_EPOCH;
        }
        Ok(info)
    }

    async fn list(&self, cursor: Option<&Cursor>) -> Result<Page<String>> {
        let end = Cursor::new(&["end"], b"");
        if self.has(AddsAnEmptyPage) && cursor.is_none() {
            return Ok(Page { items: Vec::new(), next: Some(end) });
        }
        let cursor = cursor.filter(|cursor| !self.has(AddsAnEmptyPage) || **cursor != end);
        let mut page = match self.inner.list(cursor).await {
            Err(_) if self.has(TakesAnyCursor) => self.inner.list(None).await?,
            page => page?,
        };
        if self.has(RepeatsNames) {
            page.items.extend(page.items.last().cloned());
        }
        Ok(page)
    }

    async fn delete(&self, objects: &[String]) -> Result<()> {
        let limit = if self.has(DeletesOne) { 1 } else { usize::MAX };
        let objects: Result<Vec<_>> = objects.iter().take(limit).map(|object| self.object(object)).collect();
        self.inner.delete(&objects?).await
    }

    async fn clear(&self) -> Result<()> {
        if self.has(ClearsOnePage) {
            let page = self.inner.list(None).await?;
            return self.inner.delete(&page.items).await;
        }
        self.inner.clear().await
    }
}
