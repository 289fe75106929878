//! The end of an upload in parts. It takes effect once however often it is sent, but a server that has done it may know
//! nothing of the upload any more: then the object tells by its mark.

use std::{collections::HashMap, time::Duration};

use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use slight_capabilities::{Error, Result};
use tokio::time::Instant;

use crate::{
    connection::ATTEMPTS,
    errors::{Effect, Failure},
    multipart::Upload,
    pause::Pause,
    store::{ask, ask_once, once},
};

/// The user metadata with the mark: a number of which every upload has its own.
const MARK: &str = "slight-upload";

/// Putting the parts together takes S3 longer the more there are.
const PARTS_A_SECOND: u64 = 20;

/// A new mark, and the metadata of an object that has it.
pub(crate) fn marked(metadata: Option<HashMap<String, String>>) -> (String, HashMap<String, String>) {
    let mark = format!("{:032x}", fastrand::u128(..));
    let mut metadata = metadata.unwrap_or_default();
    metadata.insert(MARK.to_owned(), mark.clone());
    (mark, metadata)
}

/// Makes the parts the object.
///
/// # Errors
/// `Conflict` if the upload was aborted. `Timeout` if an attempt may have taken effect, and neither another one nor the
/// object tells whether it has.
pub(crate) async fn commit(upload: &Upload, parts: Vec<CompletedPart>) -> Result<()> {
    let Upload { store, key, id, .. } = upload;
    let deadline = store.deadline() + Duration::from_secs(parts.len() as u64 / PARTS_A_SECOND);
    let all = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
    let send = || {
        let complete = store.client.complete_multipart_upload().bucket(store.bucket()).key(key).upload_id(id);
        complete.multipart_upload(all.clone()).customize().config_override(once()).send()
    };
    let mut pause = Pause::after_a_failure();
    let mut left = ATTEMPTS;
    let mut unclear = None;
    let failure = loop {
        let Err(failure) = ask_once(deadline, send).await else { return Ok(()) };
        left -= 1;
        let is_last = left == 0 || !failure.is_passing() || !pause.wait(deadline).await;
        // What a later attempt was told says nothing of an earlier one.
        let telling = unclear.take_if(|_| !failure.is_unclear()).unwrap_or(failure);
        if is_last {
            break telling;
        }
        unclear = Some(telling).filter(Failure::is_unclear);
    };
    if !failure.is_unclear() {
        return Err(refused(upload, failure));
    }
    if has_mark(upload, deadline).await { Ok(()) } else { Err(store.error(failure, Effect::Once)) }
}

/// No attempt has taken effect.
fn refused(upload: &Upload, failure: Failure) -> Error {
    if failure.is_no_upload() {
        return Error::conflict("the upload was aborted by somebody else; the object is as it was");
    }
    upload.store.error(failure, Effect::None)
}

/// Whether the object is what this upload has made. Where it is not, somebody else may have replaced it since.
async fn has_mark(upload: &Upload, deadline: Instant) -> bool {
    let Upload { store, key, mark, .. } = upload;
    let head = store.client.head_object().bucket(store.bucket()).key(key);
    let head = ask(deadline, head.send()).await;
    head.is_ok_and(|head| head.metadata.is_some_and(|metadata| metadata.get(MARK) == Some(mark)))
}
