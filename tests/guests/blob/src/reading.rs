//! Objects and ranges of them, at once or as streams.

use crate::wasi::blobstore::blobstore;
use crate::wasi::blobstore::types::IncomingValue;
use guest_support::{Answer, Digest, Request, read_chunk};
use serde_json::json;

/// The range `?start=` (0) to `?end=` (open), as a stream, or at once with `?mode=sync`. The header
/// `x-size` is what `incoming-value.size` said.
pub fn download(container: &str, object: &str, request: &Request) -> Result<Answer, String> {
    let value = open(container, object, request)?;
    let size = value.size();
    let answer = if request.query("mode") == Some("sync") {
        Answer::bytes(IncomingValue::incoming_value_consume_sync(value)?)
    } else {
        let stream = IncomingValue::incoming_value_consume_async(value)?;
        Answer::stream(move |out| {
            while let Some(chunk) = read_chunk(&stream)? {
                out.write(&chunk)?;
            }
            Ok(())
        })
    };
    Ok(answer.header("x-size", size))
}

/// Reads the same range to its end and tells its length and hash.
pub fn digest(container: &str, object: &str, request: &Request) -> Result<Answer, String> {
    let stream = IncomingValue::incoming_value_consume_async(open(container, object, request)?)?;
    let mut digest = Digest::default();
    while let Some(chunk) = read_chunk(&stream)? {
        digest.update(&chunk);
    }
    Ok(Answer::json(&digest.json()))
}

pub fn exists(container: &str, object: &str) -> Result<Answer, String> {
    blobstore::get_container(container)?.has_object(object).map(Answer::text)
}

pub fn info(container: &str, object: &str) -> Result<Answer, String> {
    let info = blobstore::get_container(container)?.object_info(object)?;
    Ok(Answer::json(&json!({
        "name": info.name,
        "container": info.container,
        "created_at": info.created_at,
        "size": info.size,
    })))
}

fn open(container: &str, object: &str, request: &Request) -> Result<IncomingValue, String> {
    let (start, end) = (request.number("start", 0), request.number("end", u64::MAX));
    blobstore::get_container(container)?.get_data(object, start, end)
}
