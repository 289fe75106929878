//! From the request to the container.

use crate::wasi::blobstore::types::OutgoingValue;
use crate::{album, text};
use wstd::http::{Body, BodyExt, Response, StatusCode};
use wstd::io::AsyncOutputStream;

/// Stores the body under the name, replacing a photo that has it.
///
/// Whoever looks meanwhile sees the old photo. If this returns before `finish`, because the client went
/// away or the backend failed, the value is dropped, and nothing of the new one remains.
pub async fn photo(name: &str, body: Body) -> Result<Response<Body>, String> {
    let album = album::open()?;
    let value = OutgoingValue::new_outgoing_value();
    album.write_data(name, &value)?;
    let stream = value
        .outgoing_value_write_body()
        .map_err(|()| "the photo takes no body")?;
    let out = AsyncOutputStream::new(stream);

    let mut body = body.into_boxed_body();
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            return Ok(text(StatusCode::BAD_REQUEST, "the upload ended early"));
        };
        if let Some(data) = frame.data_ref() {
            out.write_all(data)
                .await
                .map_err(|error| error.to_string())?;
        }
    }

    drop(out);
    OutgoingValue::finish(value)?;
    Ok(text(StatusCode::CREATED, "stored"))
}
