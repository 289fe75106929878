use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use parking_lot::Mutex;
use slight_capabilities::{ByteStream, Result};

use crate::{
    errors::{Effect, Failure},
    multipart::{Description, Multipart, Upload},
    store::{Store, ask},
};

/// S3 takes no smaller part but the last.
pub(crate) const SMALLEST_PART: u64 = 5 << 20;

/// S3 would take 5 GiB; four of these are in memory.
pub(crate) const LARGEST_PART: u64 = 1 << 30;

/// A stream on its way to an object, part by part. All parts but the last are of one size, which some servers ask for.
struct Writing {
    store: Arc<Store>,
    key: String,
    part_size: usize,
    /// Less than a part, or one that has nothing behind it yet.
    buffer: BytesMut,
    spare: Spare,
    /// `None` as long as it all fits in one part.
    upload: Option<Multipart>,
}

/// The memory of parts that have been sent, for the next ones: freed and taken anew by many threads, it would grow.
#[derive(Clone, Default)]
struct Spare(Arc<Mutex<Vec<BytesMut>>>);

impl Spare {
    fn take(&self, size: usize) -> BytesMut {
        self.0.lock().pop().unwrap_or_else(|| BytesMut::with_capacity(size))
    }

    fn put(&self, sent: Bytes) {
        if let Ok(mut buffer) = sent.try_into_mut() {
            buffer.clear();
            self.0.lock().push(buffer);
        }
    }
}

/// Stores a stream as an object: a small one with a single request, a larger one in parts.
pub(crate) async fn write(store: Arc<Store>, key: String, part_size: usize, body: ByteStream) -> Result<()> {
    let mut writing = Writing { store, key, part_size, buffer: BytesMut::new(), spare: Spare::default(), upload: None };
    let written = writing.all(body).await;
    if let (Err(_), Some(upload)) = (&written, writing.upload) {
        upload.abort().await;
    }
    written
}

impl Writing {
    async fn all(&mut self, mut body: ByteStream) -> Result<()> {
        while let Some(chunk) = body.next().await {
            self.take(chunk?).await?;
        }
        let last = std::mem::take(&mut self.buffer).freeze();
        match &mut self.upload {
            None => self.put(last).await,
            Some(upload) => {
                upload.add(|upload, number| send(upload, number, last, Spare::default())).await?;
                upload.complete().await
            }
        }
    }

    async fn take(&mut self, mut chunk: Bytes) -> Result<()> {
        while self.buffer.len() + chunk.len() > self.part_size {
            let fitting = chunk.split_to(self.part_size - self.buffer.len());
            self.buffer.extend_from_slice(&fitting);
            let part = std::mem::take(&mut self.buffer).freeze();
            let upload = match &mut self.upload {
                Some(upload) => upload,
                None => self.upload.insert(Multipart::begin(&self.store, &self.key, Description::default()).await?),
            };
            let spare = self.spare.clone();
            upload.add(|upload, number| send(upload, number, part, spare)).await?;
            self.buffer = self.spare.take(self.part_size);
        }
        self.buffer.extend_from_slice(&chunk);
        Ok(())
    }

    async fn put(&self, content: Bytes) -> Result<()> {
        let deadline = self.store.deadline_with(content.len() as u64);
        let put = self.store.client.put_object().bucket(self.store.bucket()).key(&self.key).body(content.into());
        ask(deadline, put.send()).await.map(drop).map_err(|failure| self.store.error(failure, Effect::Repeatable))
    }
}

async fn send(upload: Arc<Upload>, number: i32, content: Bytes, spare: Spare) -> Result<Option<String>, Failure> {
    let Upload { store, key, id, .. } = &*upload;
    let deadline = store.deadline_with(content.len() as u64);
    let part = store.client.upload_part().bucket(store.bucket()).key(key).upload_id(id).part_number(number);
    let answer = ask(deadline, part.body(content.clone().into()).send()).await?;
    spare.put(content);
    Ok(answer.e_tag)
}
