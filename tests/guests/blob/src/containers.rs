//! Containers as wholes, and what moves or removes objects without their bytes.

use crate::wasi::blobstore::blobstore;
use crate::wasi::blobstore::types::ObjectId;
use guest_support::{Answer, Request};
use serde_json::{Value, json};

pub fn manage(method: &str, path: &[&str]) -> Result<Answer, String> {
    match (method, path) {
        ("PUT", [name]) => blobstore::create_container(name).map(|_| Answer::text("ok").status(201)),
        ("GET", [name]) => blobstore::container_exists(name).map(Answer::text),
        ("DELETE", [name]) => blobstore::delete_container(name).map(|()| Answer::text("ok")),
        ("GET", [name, "info"]) => info(name),
        ("POST", [name, "clear"]) => {
            blobstore::get_container(name)?.clear()?;
            Ok(Answer::text("ok"))
        }
        _ => Ok(Answer::not_found("no such path")),
    }
}

fn info(name: &str) -> Result<Answer, String> {
    let container = blobstore::get_container(name)?;
    let info = container.info()?;
    Ok(Answer::json(&json!({
        "name": container.name()?,
        "info": { "name": info.name, "created_at": info.created_at },
    })))
}

/// All names in pieces of `?len=` (100), after passing over `?skip=` (0) of them.
pub fn list(name: &str, request: &Request) -> Result<Answer, String> {
    let listing = blobstore::get_container(name)?.list_objects()?;
    let (wanted, mut skipped, mut end) = (request.number("skip", 0u64), 0, false);
    while skipped < wanted && !end {
        let (passed, ended) = listing.skip_stream_object_names(wanted - skipped)?;
        (skipped, end) = (skipped + passed, ended);
    }
    let (mut names, mut pieces) = (Vec::new(), 0);
    while !end {
        let (piece, ended) = listing.read_stream_object_names(request.number("len", 100))?;
        names.extend(piece);
        (pieces, end) = (pieces + 1, ended);
    }
    Ok(Answer::json(&json!({ "names": names, "skipped": skipped, "pieces": pieces })))
}

pub fn delete_object(container: &str, object: &str) -> Result<Answer, String> {
    blobstore::get_container(container)?.delete_object(object)?;
    Ok(Answer::text("ok"))
}

/// Removes the objects that a JSON list names, in one call.
pub fn delete_objects(container: &str, body: &[u8]) -> Result<Answer, String> {
    let Ok(names) = serde_json::from_slice::<Vec<String>>(body) else {
        return Ok(Answer::text("the body is not a JSON list of names").status(400));
    };
    blobstore::get_container(container)?.delete_objects(&names)?;
    Ok(Answer::text("ok"))
}

/// Copies or moves what `{"src": ["container", "object"], "dest": […]}` says.
pub fn copy(body: &[u8], operation: fn(&ObjectId, &ObjectId) -> Result<(), String>) -> Result<Answer, String> {
    let wanted: Value = serde_json::from_slice(body).unwrap_or_default();
    let (Some(source), Some(destination)) = (object_id(&wanted["src"]), object_id(&wanted["dest"])) else {
        return Ok(Answer::text("the body is not {\"src\": [container, object], \"dest\": […]}").status(400));
    };
    operation(&source, &destination)?;
    Ok(Answer::text("ok"))
}

fn object_id(value: &Value) -> Option<ObjectId> {
    let (container, object) = (value[0].as_str()?.to_owned(), value[1].as_str()?.to_owned());
    Some(ObjectId { container, object })
}
