//! Photos: `PUT`, `GET` (also with `Range`) and `DELETE /photos/<name>`, and `GET /photos` for the list.
//!
//! A photo of any size passes through a little memory: uploads go from the request's stream to the object's
//! as they arrive, downloads the other way. Names stay as they are in the URL, percent-encoding included.

mod album;
mod download;
mod range;
mod upload;

use wstd::http::{Body, Error, HeaderValue, Method, Request, Response, StatusCode};

wit_bindgen::generate!({
    path: ["wit/io-0.2.2", "wit/blobstore-0.2.0-draft"],
    world: "wasi:blobstore/imports",
    with: {
        "wasi:io/error@0.2.2": wasip2::io::error,
        "wasi:io/poll@0.2.2": wasip2::io::poll,
        "wasi:io/streams@0.2.2": wasip2::io::streams,
    },
    generate_all,
});

#[wstd::http_server]
async fn main(request: Request<Body>) -> Result<Response<Body>, Error> {
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let answer = match (&method, path.strip_prefix("/photos/")) {
        (&Method::GET, None) if path == "/photos" => album::list().map(text_of_lines),
        (_, None | Some("")) => Ok(text(StatusCode::NOT_FOUND, "the photos are at /photos")),
        (&Method::PUT, Some(name)) => upload::photo(name, request.into_body()).await,
        (&Method::GET, Some(name)) => download::photo(name, request.headers().get("range")),
        (&Method::DELETE, Some(name)) => album::remove(name).map(|()| text(StatusCode::OK, "removed")),
        _ => Ok(text(StatusCode::METHOD_NOT_ALLOWED, "use GET, PUT or DELETE")),
    };
    Ok(answer.unwrap_or_else(|error| {
        // The details are for the operator.
        eprintln!("{method} {path}: {error}");
        text(StatusCode::SERVICE_UNAVAILABLE, "the photos cannot be reached just now")
    }))
}

fn text_of_lines(lines: Vec<String>) -> Response<Body> {
    text(StatusCode::OK, &lines.join("\n"))
}

fn text(status: StatusCode, text: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(format!("{text}\n")));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert("content-type", HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
