//! From the request to the container.

use crate::wasi::blobstore::types::OutgoingValue;
use crate::{album, text};
use wasip2::io::streams::{OutputStream, StreamError};
use wstd::http::{Body, BodyExt, Response, StatusCode};

/// Stores the body under the name, replacing a photo that has it.
///
/// Whoever looks meanwhile sees the old photo. If this returns before `finish`, because the client went
/// away or the backend failed, the value is dropped, and nothing of the new one remains.
pub async fn photo(name: &str, body: Body) -> Result<Response<Body>, String> {
    let album = album::open()?;
    let value = OutgoingValue::new_outgoing_value();
    album.write_data(name, &value)?;
    let out = value.outgoing_value_write_body().map_err(|()| "the photo takes no body")?;

    let mut body = body.into_boxed_body();
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            return Ok(text(StatusCode::BAD_REQUEST, "the upload ended early"));
        };
        if let Some(data) = frame.data_ref() {
            write_all(&out, data)?;
        }
    }

    drop(out);
    OutgoingValue::finish(value)?;
    Ok(text(StatusCode::CREATED, "stored"))
}

/// Writes as much at a time as the stream allows, and waits for it in between.
///
/// The wait is for this stream alone, as the instance has no other work. `AsyncOutputStream` of wstd 0.6.8
/// would wake up for the request's stream too, again and again while there is something to read.
fn write_all(out: &OutputStream, mut bytes: &[u8]) -> Result<(), String> {
    while !bytes.is_empty() {
        let allowed = out.check_write().map_err(sentence)?;
        if allowed == 0 {
            out.subscribe().block();
            continue;
        }
        let length = usize::try_from(allowed).map_or(bytes.len(), |allowed| allowed.min(bytes.len()));
        let (now, later) = bytes.split_at(length);
        out.write(now).map_err(sentence)?;
        bytes = later;
    }
    Ok(())
}

fn sentence(error: StreamError) -> String {
    match error {
        StreamError::Closed => "the photo's body is closed".to_owned(),
        StreamError::LastOperationFailed(error) => error.to_debug_string(),
    }
}
