use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use aws_sdk_s3::types::MultipartUpload;

use crate::{
    errors::{Effect, Failure},
    names,
    store::{Store, ask},
};

/// How many pages of uploads are looked at: ten thousand uploads.
const PAGES: usize = 10;

/// Aborts uploads below the location that were begun that long ago: what processes that ended in mid-upload have left. In
/// the background, since nothing waits for it.
pub(crate) fn begin(store: Arc<Store>, older_than: Duration) {
    tokio::spawn(async move {
        match sweep(&store, older_than).await {
            Ok(()) => {}
            Err(failure) if failure.is_no_bucket() && store.is_to_be_made() => {}
            Err(failure) => {
                let error = store.error(failure, Effect::Repeatable);
                tracing::warn!("unfinished uploads in S3 could not be looked for: {error}");
            }
        }
    });
}

async fn sweep(store: &Store, older_than: Duration) -> Result<(), Failure> {
    let (mut key, mut id) = (None, None);
    for _ in 0..PAGES {
        let list = store.client.list_multipart_uploads().bucket(store.bucket()).prefix(&store.location.prefix);
        let answer = ask(store.deadline(), list.set_key_marker(key).set_upload_id_marker(id).send()).await?;
        for upload in answer.uploads.unwrap_or_default() {
            if !is_older(&upload, older_than) || !is_ours(store, &upload) {
                continue;
            }
            if let Err(failure) = abort(store, upload).await {
                let error = store.error(failure, Effect::Repeatable);
                tracing::warn!("an unfinished upload in S3 could not be removed: {error}");
            }
        }
        if answer.is_truncated != Some(true) {
            break;
        }
        (key, id) = (answer.next_key_marker, answer.next_upload_id_marker);
    }
    Ok(())
}

/// What another program uploads beside our containers is left to it.
fn is_ours(store: &Store, upload: &MultipartUpload) -> bool {
    let key = upload.key.as_deref().and_then(|key| key.strip_prefix(store.location.prefix.as_str()));
    key.is_some_and(names::is_object)
}

fn is_older(upload: &MultipartUpload, than: Duration) -> bool {
    let begun = upload.initiated.and_then(|begun| SystemTime::try_from(begun).ok());
    begun.and_then(|begun| begun.elapsed().ok()).is_some_and(|age| age > than)
}

async fn abort(store: &Store, upload: MultipartUpload) -> Result<(), Failure> {
    let abort = store.client.abort_multipart_upload().bucket(store.bucket());
    let abort = abort.set_key(upload.key).set_upload_id(upload.upload_id);
    match ask(store.deadline(), abort.send()).await {
        // Another process was faster.
        Err(failure) if failure.is_no_upload() => Ok(()),
        aborted => aborted.map(drop),
    }
}
