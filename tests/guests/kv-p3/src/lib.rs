//! An asynchronous handler of `wasi:http` 0.3.0 that calls the synchronous `wasi:keyvalue`:
//! `GET /<bucket>/<key>` reads, `GET /<bucket>/<key>?<value>` writes and reads back.

use wasi::keyvalue::store;
use wasip3::http::types::{ErrorCode, Fields, Request, Response};
use wasip3::{wit_future, wit_stream};

wit_bindgen::generate!({
    path: "../../../wit/keyvalue-0.2.0-draft2",
    inline: "
        package test:kv-p3;

        world imports {
            import wasi:keyvalue/store@0.2.0-draft2;
        }
    ",
    world: "test:kv-p3/imports",
    generate_all,
});

struct KeyValue;

impl wasip3::exports::http::handler::Guest for KeyValue {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let target = request.get_path_with_query().unwrap_or_default();
        let (status, text) = match answer(&target) {
            Ok(Some(value)) => (200, value),
            Ok(None) => (404, b"no such key".to_vec()),
            Err(store::Error::NoSuchStore) => (422, b"no-such-store".to_vec()),
            Err(store::Error::AccessDenied) => (422, b"access-denied".to_vec()),
            Err(store::Error::Other(sentence)) => (422, format!("other: {sentence}").into_bytes()),
        };
        let (mut body, contents) = wit_stream::new();
        let (trailers, no_trailers) = wit_future::new(|| Ok(None));
        let (response, _sent) = Response::new(Fields::new(), Some(contents), no_trailers);
        drop(trailers);
        response.set_status_code(status).map_err(|()| ErrorCode::InternalError(None))?;
        wasip3::wit_bindgen::spawn_local(async move {
            body.write_all(text).await;
        });
        Ok(response)
    }
}

fn answer(target: &str) -> Result<Option<Vec<u8>>, store::Error> {
    let (path, value) = match target.split_once('?') {
        Some((path, value)) => (path, Some(value)),
        None => (target, None),
    };
    let (bucket, key) = path.trim_start_matches('/').split_once('/').unwrap_or((path, ""));
    let bucket = store::open(bucket)?;
    if let Some(value) = value {
        bucket.set(key, value.as_bytes())?;
    }
    bucket.get(key)
}

wasip3::http::service::export!(KeyValue);
