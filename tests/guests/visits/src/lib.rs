use wasi::keyvalue::{atomics, store};
use wstd::http::{Body, Error, Request, Response};

wit_bindgen::generate!({
    path: "wit/keyvalue-0.2.0-draft2",
    world: "wasi:keyvalue/imports",
    generate_all,
});

#[wstd::http_server]
async fn main(_request: Request<Body>) -> Result<Response<Body>, Error> {
    let visits = store::open("default").and_then(|bucket| atomics::increment(&bucket, "visits", 1));
    let text = match visits {
        Ok(count) => format!("visit {count}\n"),
        Err(error) => format!("no count today: {error:?}\n"),
    };
    Ok(Response::new(text.into()))
}
