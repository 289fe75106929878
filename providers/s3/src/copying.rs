use std::sync::Arc;

use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use slight_capabilities::Result;

use crate::{
    errors::{Effect, Failure},
    multipart::{Description, MAX_PARTS, Multipart, Upload},
    store::{Store, ask},
};

/// Up to here one request copies an object; S3 would take 5 GiB, but not within the time that a call has.
const AT_ONCE: u64 = 64 << 20;

/// What is copied: one version of an object.
#[derive(Clone)]
struct Source {
    /// Bucket and key as a header says them.
    path: String,
    etag: Option<String>,
}

/// Copies an object within S3: the version that `head` tells of, or none.
pub(crate) async fn copy(store: &Arc<Store>, from: &str, head: HeadObjectOutput, to: &str) -> Result<()> {
    let size = head.content_length.and_then(|size| u64::try_from(size).ok()).unwrap_or_default();
    let source = Source { path: path(store.bucket(), from), etag: head.e_tag };
    if size <= AT_ONCE {
        return copy_at_once(store, source, size, to).await.map_err(|failure| store.error(failure, Effect::Repeatable));
    }
    let description = Description { content_type: head.content_type, metadata: head.metadata };
    let mut upload = Multipart::begin(store, to, description).await?;
    let copied = copy_in_parts(&mut upload, source, size).await;
    if copied.is_err() {
        upload.abort().await;
    }
    copied
}

async fn copy_at_once(store: &Store, source: Source, size: u64, to: &str) -> Result<(), Failure> {
    let copy = store.client.copy_object().bucket(store.bucket()).key(to).copy_source(source.path);
    let copy = copy.set_copy_source_if_match(source.etag);
    ask(store.deadline_with(size), copy.send()).await.map(drop)
}

async fn copy_in_parts(upload: &mut Multipart, source: Source, size: u64) -> Result<()> {
    let part_size = AT_ONCE.max(size.div_ceil(MAX_PARTS as u64));
    let mut start = 0;
    while start < size {
        let end = size.min(start + part_size);
        let source = source.clone();
        upload.add(|upload, number| copy_part(upload, number, source, start, end)).await?;
        start = end;
    }
    upload.complete().await
}

async fn copy_part(
    upload: Arc<Upload>,
    number: i32,
    source: Source,
    start: u64,
    end: u64,
) -> Result<Option<String>, Failure> {
    let Upload { store, key, id, .. } = &*upload;
    let copy = store.client.upload_part_copy().bucket(store.bucket()).key(key).upload_id(id).part_number(number);
    let copy = copy.copy_source(source.path).set_copy_source_if_match(source.etag);
    let copy = copy.copy_source_range(format!("bytes={start}-{}", end - 1));
    let answer = ask(store.deadline_with(end - start), copy.send()).await?;
    Ok(answer.copy_part_result.and_then(|result| result.e_tag))
}

/// In the header, a key is percent-encoded. Of the characters of encoded names and prefixes two mean something there.
fn path(bucket: &str, key: &str) -> String {
    format!("{bucket}/{}", key.replace('+', "%2B").replace('=', "%3D"))
}
