//! From the container to the response.

use crate::range::{self, Wanted};
use crate::wasi::blobstore::types::IncomingValue;
use crate::{album, text};
use futures_lite::stream;
use wstd::http::{Body, HeaderValue, Response, StatusCode};
use wstd::io::AsyncInputStream;

/// How much is asked of the object's stream at a time.
const CHUNK: usize = 64 * 1024;

/// Answers with the photo, or with the part that the header `Range` asks for.
pub fn photo(name: &str, range: Option<&HeaderValue>) -> Result<Response<Body>, String> {
    let album = album::open()?;
    // An error of `get-data` is a sentence; whether the photo is there has to be asked.
    if !album.has_object(name)? {
        return Ok(text(StatusCode::NOT_FOUND, "there is no such photo"));
    }
    let total = album.object_info(name)?.size;
    let (status, start, end) = match range::parse(range, total) {
        Wanted::Whole => (StatusCode::OK, 0, u64::MAX),
        Wanted::Part { start, end } => (StatusCode::PARTIAL_CONTENT, start, end),
        Wanted::Nothing => {
            let mut response = text(StatusCode::RANGE_NOT_SATISFIABLE, "the photo has no such part");
            response.headers_mut().insert("content-range", header(format!("bytes */{total}"))?);
            return Ok(response);
        }
    };

    let value = album.get_data(name, start, end)?;
    let length = value.size();
    let mut response = Response::new(body(IncomingValue::incoming_value_consume_async(value)?));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert("content-type", HeaderValue::from_static(media_type(name)));
    headers.insert("content-length", HeaderValue::from(length));
    headers.insert("accept-ranges", HeaderValue::from_static("bytes"));
    if status == StatusCode::PARTIAL_CONTENT {
        headers.insert("content-range", header(format!("bytes {start}-{end}/{total}"))?);
    }
    Ok(response)
}

/// A body that reads the next chunk when the client has taken the one before. An error of the backend ends
/// the response without its end, so that the client does not take a part for the whole.
fn body(stream: wasip2::io::streams::InputStream) -> Body {
    Body::from_try_stream(stream::try_unfold(AsyncInputStream::new(stream), |stream| async move {
        let mut chunk = vec![0; CHUNK];
        let length = stream.read(&mut chunk).await?;
        chunk.truncate(length);
        Ok::<_, std::io::Error>((length > 0).then_some((chunk, stream)))
    }))
}

fn header(value: String) -> Result<HeaderValue, String> {
    HeaderValue::try_from(value).map_err(|error| error.to_string())
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("png") => "image/png",
        Some("webp") => "image/webp",
        _ => "application/octet-stream",
    }
}
