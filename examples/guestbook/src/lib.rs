//! A guestbook: `POST /` writes an entry, `GET /` lists them all, newest first.
//!
//! Any number of copies can serve one guestbook. Each entry has a key of its own, and the numbers in the keys
//! come from a counter that the key-value store increments, so that two guests who write at the same time
//! never take the same one.

mod entries;

use entries::Entry;
use wasi::keyvalue::store;
use wstd::http::body::util::Limited;
use wstd::http::{Body, BodyExt, Error, Method, Request, Response, StatusCode};

wit_bindgen::generate!({
    path: "wit/keyvalue-0.2.0-draft2",
    world: "wasi:keyvalue/imports",
    generate_all,
});

/// The largest entry that is accepted, in bytes of JSON.
const MAX_ENTRY: usize = 16 * 1024;

#[wstd::http_server]
async fn main(request: Request<Body>) -> Result<Response<Body>, Error> {
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/") => list(),
        (&Method::POST, "/") => write(request.into_body()).await,
        (_, "/") => problem(StatusCode::METHOD_NOT_ALLOWED, "use GET or POST"),
        _ => problem(StatusCode::NOT_FOUND, "the guestbook is at /"),
    }
}

fn list() -> Result<Response<Body>, Error> {
    match entries::all() {
        Ok(entries) => json(StatusCode::OK, &entries),
        Err(error) => unavailable(error),
    }
}

async fn write(body: Body) -> Result<Response<Body>, Error> {
    let Ok(body) = Limited::new(body.into_boxed_body(), MAX_ENTRY).collect().await else {
        return problem(StatusCode::PAYLOAD_TOO_LARGE, "an entry has up to 16 KiB");
    };
    let entry: Entry = match serde_json::from_slice(&body.to_bytes()) {
        Ok(entry) => entry,
        Err(error) => return problem(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    match entries::add(&entry) {
        Ok(number) => json(StatusCode::CREATED, &serde_json::json!({ "number": number })),
        Err(error) => unavailable(error),
    }
}

/// The details are for the operator; whoever signs the guestbook can only try again.
fn unavailable(error: store::Error) -> Result<Response<Body>, Error> {
    match error {
        store::Error::NoSuchStore => {
            eprintln!("the place where the guestbook is kept does not exist")
        }
        store::Error::AccessDenied => {
            eprintln!("the configuration gives no access to the bucket `guestbook`")
        }
        store::Error::Other(sentence) => eprintln!("{sentence}"),
    }
    problem(StatusCode::SERVICE_UNAVAILABLE, "the guestbook is closed just now")
}

fn problem(status: StatusCode, sentence: &str) -> Result<Response<Body>, Error> {
    json(status, &serde_json::json!({ "error": sentence }))
}

fn json(status: StatusCode, value: &impl serde::Serialize) -> Result<Response<Body>, Error> {
    let response = Response::builder().status(status).header("content-type", "application/json");
    Ok(response.body(Body::from_json(value)?)?)
}
