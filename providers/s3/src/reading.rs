use std::sync::Arc;

use aws_sdk_s3::{operation::get_object::GetObjectOutput, primitives::ByteStream as Body};
use bytes::Bytes;
use futures_util::stream;
use slight_capabilities::{Blob, ByteRange, Error, Result};
use tokio::time::timeout;

use crate::{
    errors::{self, Effect, Failure},
    pause::Pause,
    store::{Store, ask},
};

/// How often in a row a stream that broke is taken up again without having got any further.
const RESUMPTIONS: usize = 3;

/// S3 has no longer objects, and some servers read a larger number as none.
const MAX_SIZE: u64 = i64::MAX as u64;

/// A stream of one version of an object.
struct Reading {
    store: Arc<Store>,
    key: String,
    etag: Option<String>,
    body: Body,
    /// The byte that comes next, and the one behind the last.
    next: u64,
    end: u64,
    resumptions: usize,
}

/// Opens an object, or a range of it.
pub(crate) async fn open(store: &Arc<Store>, key: &str, range: ByteRange) -> Result<Blob, Failure> {
    if range.end < range.start || range.start > MAX_SIZE {
        // S3 has no word for an empty range; whether the object is there still has to be said.
        let head = store.client.head_object().bucket(store.bucket()).key(key);
        return ask(store.deadline(), head.send()).await.map(|_| empty());
    }
    let wanted = (range != ByteRange::ALL).then(|| match range.end {
        ..MAX_SIZE => format!("bytes={}-{}", range.start, range.end),
        _ => format!("bytes={}-", range.start),
    });
    let answer = match get(store, key, wanted, None).await {
        Err(failure) if failure.is_out_of_range() => return Ok(empty()),
        answer => answer?,
    };
    let size = answer.content_length.and_then(|size| u64::try_from(size).ok());
    let size = size.ok_or_else(|| Failure::broken("an answer without a length"))?;
    if !begins_at(&answer, range.start) {
        return Err(Failure::broken("other bytes than those asked for"));
    }
    let reading = Reading {
        store: store.clone(),
        key: key.to_owned(),
        etag: answer.e_tag,
        body: answer.body,
        next: range.start,
        end: range.start.saturating_add(size),
        resumptions: RESUMPTIONS,
    };
    let body = stream::unfold(Some(reading), |reading| async move {
        let mut reading = reading?;
        match reading.chunk().await {
            Ok(None) => None,
            Ok(Some(chunk)) => Some((Ok(chunk), Some(reading))),
            Err(error) => Some((Err(error), None)),
        }
    });
    Ok(Blob { size, body: Box::pin(body) })
}

fn empty() -> Blob {
    Blob { size: 0, body: Box::pin(stream::empty()) }
}

async fn get(
    store: &Store,
    key: &str,
    range: Option<String>,
    version: Option<String>,
) -> Result<GetObjectOutput, Failure> {
    let get = store.client.get_object().bucket(store.bucket()).key(key).set_range(range).set_if_match(version);
    ask(store.deadline(), get.send()).await
}

/// Whether the answer begins at this byte: a server that takes no ranges would answer with all.
fn begins_at(answer: &GetObjectOutput, start: u64) -> bool {
    match answer.content_range().and_then(|range| range.strip_prefix("bytes ")?.split('-').next()) {
        Some(first) => first.parse() == Ok(start),
        None => start == 0,
    }
}

impl Reading {
    async fn chunk(&mut self) -> Result<Option<Bytes>> {
        loop {
            if self.next == self.end {
                return Ok(None);
            }
            match timeout(self.store.timeout, self.body.next()).await {
                Ok(Some(Ok(chunk))) if chunk.is_empty() => {}
                Ok(Some(Ok(chunk))) => return self.advance(chunk).map(Some),
                Ok(Some(Err(error))) => self.resume(Failure::broken(error)).await?,
                Ok(None) => self.resume(Failure::broken("the body was cut")).await?,
                Err(_) => self.resume(Failure::late()).await?,
            }
        }
    }

    fn advance(&mut self, chunk: Bytes) -> Result<Bytes> {
        self.next += chunk.len() as u64;
        self.resumptions = RESUMPTIONS;
        if self.next > self.end { Err(errors::odd()) } else { Ok(chunk) }
    }

    /// Goes on where the stream broke, if the object is still the same.
    async fn resume(&mut self, broken: Failure) -> Result<()> {
        let Some(etag) = self.etag.clone().filter(|_| self.resumptions > 0) else {
            return Err(self.store.error(broken, Effect::None));
        };
        self.resumptions -= 1;
        Pause::default().wait(self.store.deadline()).await;
        let range = format!("bytes={}-{}", self.next, self.end - 1);
        match get(&self.store, &self.key, Some(range), Some(etag)).await {
            Ok(answer) if begins_at(&answer, self.next) => {
                self.body = answer.body;
                Ok(())
            }
            Ok(_) => Err(errors::odd()),
            Err(failure) if failure.is_conflict() || failure.is_out_of_range() => {
                Err(Error::conflict("the object was changed or removed while it was read"))
            }
            Err(failure) => Err(self.store.error(failure, Effect::None)),
        }
    }
}
