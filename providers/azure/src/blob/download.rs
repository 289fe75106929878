use std::{num::NonZero, ops::Range, sync::Arc, time::Duration};

use azure_core::http::{AsyncResponseBody, Etag};
use azure_storage_blob::models::{BlobClientDownloadOptions, BlobClientDownloadResult};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use slight_capabilities::{Blob, ByteRange, Error, Result};
use tokio::time::{sleep, timeout};

use super::container::no_object;
use crate::{
    attempts::{Lost, jittered},
    errors::Failure,
    location::{Location, NO_PARTS},
    whole::whole,
};

/// How often in a row the rest of an object is asked for anew without a byte of it coming.
const ATTEMPTS: u32 = 3;

const PAUSE: Duration = Duration::from_millis(200);

/// What is asked of a blob.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    All,
    Part(Range<u64>),
}

/// What a range asks for; `None` where that is nothing, whatever the blob is.
pub(super) fn wanted(range: ByteRange) -> Option<Wanted> {
    if range == ByteRange::ALL {
        return Some(Wanted::All);
    }
    let part = range.clamp(NO_PARTS);
    (!part.is_empty()).then_some(Wanted::Part(part))
}

/// Opens a blob: one request, whose answer is handed on as it comes.
pub(super) async fn open(location: &Arc<Location>, blob: &str, object: &str, wanted: Wanted) -> Result<Blob> {
    let start = match &wanted {
        Wanted::All => 0,
        Wanted::Part(part) => part.start,
    };
    let found = match fetch(location, blob, wanted, None).await {
        Ok(found) => found,
        // The blob is there, and ends before the range begins.
        Err(failure) if failure.status() == 416 => return Ok(Blob { size: 0, body: Box::pin(stream::empty()) }),
        Err(failure) if failure.is_missing() => return Err(no_object(object)),
        Err(failure) => return Err(location.error(failure)),
    };
    let (Some(size), Some(version)) = (found.properties.content_length, found.properties.etag) else {
        return Err(Error::other("Azure told no size or no ETag of a blob"));
    };
    let rest = Rest {
        location: location.clone(),
        blob: blob.to_owned(),
        object: object.to_owned(),
        version,
        range: start..start + size,
        body: found.body,
        attempts: 0,
    };
    let body = stream::unfold(Some(rest), |rest| async move { rest?.next().await });
    Ok(Blob { size, body: Box::pin(body) })
}

async fn fetch(
    location: &Location,
    blob: &str,
    wanted: Wanted,
    if_match: Option<Etag>,
) -> Result<BlobClientDownloadResult, Failure> {
    let blob = location.blob(blob);
    let ask = || {
        let mut options = BlobClientDownloadOptions {
            partition_size: NonZero::new(NO_PARTS as usize),
            if_match: if_match.clone(),
            ..Default::default()
        };
        match &wanted {
            Wanted::All => options.method_options = whole(),
            Wanted::Part(part) => options.range = Some(part.clone().into()),
        }
        blob.download(Some(options))
    };
    location.ask(Lost::SendAgain, ask).await
}

/// What is still to come of one version of a blob.
struct Rest {
    location: Arc<Location>,
    blob: String,
    object: String,
    version: Etag,
    range: Range<u64>,
    body: AsyncResponseBody,
    /// Since the last byte came.
    attempts: u32,
}

impl Rest {
    /// The next bytes, and what is to come after them. After an error nothing is.
    async fn next(mut self) -> Option<(Result<Bytes>, Option<Self>)> {
        while !self.range.is_empty() {
            match timeout(self.location.link.timeout(), self.body.next()).await {
                Ok(Some(Ok(chunk))) if chunk.is_empty() => {}
                Ok(Some(Ok(mut chunk))) => {
                    let left = usize::try_from(self.range.end - self.range.start).unwrap_or(usize::MAX);
                    chunk.truncate(left);
                    self.range.start += chunk.len() as u64;
                    self.attempts = 0;
                    return Some((Ok(chunk), Some(self)));
                }
                // Cut off, or silent.
                _ => {
                    if let Err(error) = self.go_on().await {
                        return Some((Err(error), None));
                    }
                }
            }
        }
        None
    }

    /// Asks for the rest, of the same version and no other.
    async fn go_on(&mut self) -> Result<()> {
        let object = &self.object;
        if self.attempts == ATTEMPTS {
            return Err(Error::unavailable(format!(
                "the object {object:?} was cut off, and the rest of it cannot be had"
            )));
        }
        if self.attempts > 0 {
            sleep(jittered(PAUSE * self.attempts)).await;
        }
        self.attempts += 1;
        let rest = Wanted::Part(self.range.clone());
        match fetch(&self.location, &self.blob, rest, Some(self.version.clone())).await {
            Ok(found) => {
                self.body = found.body;
                Ok(())
            }
            Err(failure) if failure.is_conflict() || failure.is_missing() => Err(Error::conflict(format!(
                "the object {object:?} was overwritten or removed while it was read; read it again"
            ))),
            Err(failure) => Err(self.location.error(failure)),
        }
    }
}
