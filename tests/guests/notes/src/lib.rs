use wasi::blobstore::blobstore;
use wasi::blobstore::types::{IncomingValue, OutgoingValue};
use wasi::keyvalue::{atomics, store};
use wasip2::io::streams::StreamError;
use wstd::http::{Body, Error, Method, Request, Response, StatusCode};

wit_bindgen::generate!({
    path: ["wit/io-0.2.2", "wit/keyvalue-0.2.0-draft2", "wit/blobstore-0.2.0-draft"],
    inline: "
        package example:notes;

        world notes {
            include wasi:keyvalue/imports@0.2.0-draft2;
            include wasi:blobstore/imports@0.2.0-draft;
        }
    ",
    world: "example:notes/notes",
    with: {
        "wasi:io/error@0.2.2": wasip2::io::error,
        "wasi:io/poll@0.2.2": wasip2::io::poll,
        "wasi:io/streams@0.2.2": wasip2::io::streams,
    },
    generate_all,
});

/// `PUT /name` keeps the request's body, `GET /name` gives it back.
#[wstd::http_server]
async fn main(mut request: Request<Body>) -> Result<Response<Body>, Error> {
    let name = request.uri().path().trim_start_matches('/').to_owned();
    let answer = if request.method() == Method::PUT {
        let note = request.body_mut().contents().await?.to_vec(); // all of it, in memory
        write(&name, &note)
    } else {
        read(&name)
    };
    Ok(match answer {
        Ok(bytes) => Response::new(bytes.into()),
        Err(error) => {
            eprintln!("{name}: {error}"); // into the log of the host
            let mut response = Response::new("not now\n".into());
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            response
        }
    })
}

fn write(name: &str, note: &[u8]) -> Result<Vec<u8>, String> {
    if !blobstore::container_exists("notes")? {
        blobstore::create_container("notes")?;
    }
    let container = blobstore::get_container("notes")?;
    let value = OutgoingValue::new_outgoing_value();
    container.write_data(name, &value)?;
    let body = value.outgoing_value_write_body().map_err(|()| "the value has a body")?;
    for chunk in note.chunks(4096) {
        body.blocking_write_and_flush(chunk).map_err(sentence)?; // at most 4096 bytes at a time
    }
    drop(body);
    OutgoingValue::finish(value)?; // until here, nobody sees the object
    let bucket = store::open("default").map_err(|error| format!("{error:?}"))?;
    let count = atomics::increment(&bucket, "written", 1).map_err(|error| format!("{error:?}"))?;
    Ok(format!("write {count}\n").into_bytes())
}

fn read(name: &str) -> Result<Vec<u8>, String> {
    let container = blobstore::get_container("notes")?;
    let value = container.get_data(name, 0, u64::MAX)?; // `end` is inclusive and clamped
    IncomingValue::incoming_value_consume_sync(value) // for large ones, consume-async gives a stream
}

fn sentence(error: StreamError) -> String {
    match error {
        StreamError::Closed => "the stream is closed".to_owned(),
        StreamError::LastOperationFailed(error) => error.to_debug_string(),
    }
}
