//! Every function of `wasi:blobstore` 0.2.0-draft over HTTP; the paths are in `tests/guests/README.md`.

mod containers;
mod reading;
mod writing;

use guest_support::{Answer, Request};

wit_bindgen::generate!({
    path: ["../../../wit/io-0.2.2", "../../../wit/blobstore-0.2.0-draft"],
    world: "wasi:blobstore/imports",
    with: {
        "wasi:io/error@0.2.2": guest_support::wasip2::io::error,
        "wasi:io/poll@0.2.2": guest_support::wasip2::io::poll,
        "wasi:io/streams@0.2.2": guest_support::wasip2::io::streams,
    },
    generate_all,
});

guest_support::serve_http!(handle);

fn handle(request: Request) -> Answer {
    let method = request.method();
    let result = match (method.as_str(), request.segments().as_slice()) {
        (_, ["containers", rest @ ..]) => containers::manage(&method, rest),
        ("GET", ["list", container]) => containers::list(container, &request),
        ("POST", ["delete", container]) => containers::delete_objects(container, &request.body()),
        ("POST", ["copy"]) => containers::copy(&request.body(), wasi::blobstore::blobstore::copy_object),
        ("POST", ["move"]) => containers::copy(&request.body(), wasi::blobstore::blobstore::move_object),
        ("PUT", ["objects", container, object]) => writing::upload(container, object, &request),
        ("POST", ["generate", container, object]) => writing::generate(container, object, &request),
        ("GET", ["objects", container, object]) => reading::download(container, object, &request),
        ("GET", ["digest", container, object]) => reading::digest(container, object, &request),
        ("GET", ["exists", container, object]) => reading::exists(container, object),
        ("GET", ["info", container, object]) => reading::info(container, object),
        ("DELETE", ["objects", container, object]) => containers::delete_object(container, object),
        _ => Ok(Answer::not_found("no such path")),
    };
    result.unwrap_or_else(Answer::error)
}
