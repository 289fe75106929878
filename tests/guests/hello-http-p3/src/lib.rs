//! Answers over `wasi:http` 0.3.0: `/echo` with the request's body, `/request` with what is known of the request,
//! `/send?TARGET` with the path of a request and what came of it, anything else with `hello`. A target is an authority, a
//! path where there is one, and `&relative` if the path is to be set without its `/`.

use wasip3::http::client;
use wasip3::http::types::{ErrorCode, Fields, Request, Response, Scheme};
use wasip3::{wit_bindgen, wit_future, wit_stream};

struct Hello;

impl wasip3::exports::http::handler::Guest for Hello {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let path = request.get_path_with_query().unwrap_or_default();
        if path.starts_with("/echo") {
            return Ok(echo(request));
        }
        let text = match path.strip_prefix("/send?") {
            Some(target) => send(target).await?,
            None if path == "/request" => describe(&request),
            None => "hello".to_owned(),
        };
        let (mut body, contents) = wit_stream::new();
        let (trailers, no_trailers) = wit_future::new(|| Ok(None));
        let (response, _sent) = Response::new(Fields::new(), Some(contents), no_trailers);
        drop(trailers);
        wit_bindgen::spawn_local(async move {
            body.write_all(text.into_bytes()).await;
        });
        Ok(response)
    }
}

fn describe(request: &Request) -> String {
    let scheme = match request.get_scheme() {
        Some(Scheme::Http) => "http".to_owned(),
        Some(Scheme::Https) => "https".to_owned(),
        other => format!("{other:?}"),
    };
    let fields = request.get_headers().copy_all();
    let names: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
    format!("{scheme} {} {}", request.get_authority().unwrap_or_default(), names.join(","))
}

async fn send(target: &str) -> Result<String, ErrorCode> {
    let (target, is_relative) = target.strip_suffix("&relative").map_or((target, false), |target| (target, true));
    let (authority, path) = target.split_at(target.find('/').unwrap_or(target.len()));
    let path = if is_relative { Some(&path[1..]) } else { Some(path).filter(|path| !path.is_empty()) };
    let (trailers, no_trailers) = wit_future::new(|| Ok(None));
    let (request, _sent) = Request::new(Fields::new(), None, no_trailers, None);
    drop(trailers);
    let set = request.set_scheme(Some(&Scheme::Http)).and_then(|()| request.set_authority(Some(authority)));
    let set = set.and_then(|()| request.set_path_with_query(path));
    set.map_err(|()| ErrorCode::HttpRequestUriInvalid)?;
    let read = request.get_path_with_query();
    let response = client::send(request).await?;
    let (failure, no_failure) = wit_future::new(|| Ok(()));
    let (contents, _trailers) = Response::consume_body(response, no_failure);
    let body = contents.collect().await;
    drop(failure);
    Ok(format!("{read:?} {}", String::from_utf8_lossy(&body)))
}

/// The request's stream becomes the response's; the bytes do not pass through the guest.
fn echo(request: Request) -> Response {
    let (failure, no_failure) = wit_future::new(|| Ok(()));
    let (contents, trailers) = Request::consume_body(request, no_failure);
    drop(failure);
    Response::new(Fields::new(), Some(contents), trailers).0
}

wasip3::http::service::export!(Hello);
