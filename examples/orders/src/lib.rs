//! Orders: `POST /orders` takes one and answers at once, the topic `orders` brings it to the handler, which
//! may run in another copy of this program, and `GET /orders/<id>` shows how far it is.

mod fulfilment;
mod intake;
mod ledger;

use wstd::http::body::util::Limited;
use wstd::http::{Body, BodyExt, Error, Method, Request, Response, StatusCode};

wit_bindgen::generate!({
    path: ["wit/keyvalue-0.2.0-draft2", "wit/messaging-0.2.0-draft"],
    inline: "
        package example:orders;

        world orders {
            include wasi:keyvalue/imports@0.2.0-draft2;
            include wasi:messaging/messaging-core@0.2.0-draft;
        }
    ",
    world: "example:orders/orders",
    generate_all,
});

export!(Orders);

/// What the host calls with messages; `fulfilment` says what it does with them.
struct Orders;

/// The largest order that is accepted, in bytes of JSON.
const MAX_ORDER: usize = 16 * 1024;

#[wstd::http_server]
async fn main(request: Request<Body>) -> Result<Response<Body>, Error> {
    let path = request.uri().path().to_owned();
    match (request.method(), path.strip_prefix("/orders/")) {
        (&Method::POST, None) if path == "/orders" => take(request.into_body()).await,
        (&Method::GET, Some(id)) if !id.is_empty() => show(id),
        _ => problem(StatusCode::NOT_FOUND, "POST to /orders or GET /orders/<id>"),
    }
}

async fn take(body: Body) -> Result<Response<Body>, Error> {
    let Ok(body) = Limited::new(body.into_boxed_body(), MAX_ORDER).collect().await else {
        return problem(StatusCode::PAYLOAD_TOO_LARGE, "an order has up to 16 KiB");
    };
    match serde_json::from_slice(&body.to_bytes()) {
        Ok(request) => match intake::take(request) {
            Ok(order) => json(StatusCode::ACCEPTED, &order),
            Err(error) => unavailable(&error),
        },
        Err(error) => problem(StatusCode::BAD_REQUEST, &error.to_string()),
    }
}

fn show(id: &str) -> Result<Response<Body>, Error> {
    match ledger::find(id) {
        Ok(Some(order)) => json(StatusCode::OK, &order),
        Ok(None) => problem(StatusCode::NOT_FOUND, "there is no such order"),
        Err(error) => unavailable(&error),
    }
}

/// The details are for the operator.
fn unavailable(error: &str) -> Result<Response<Body>, Error> {
    eprintln!("{error}");
    problem(StatusCode::SERVICE_UNAVAILABLE, "orders are not taken just now; try again")
}

fn problem(status: StatusCode, sentence: &str) -> Result<Response<Body>, Error> {
    json(status, &serde_json::json!({ "error": sentence }))
}

fn json(status: StatusCode, value: &impl serde::Serialize) -> Result<Response<Body>, Error> {
    let response = Response::builder().status(status).header("content-type", "application/json");
    Ok(response.body(Body::from_json(value)?)?)
}
