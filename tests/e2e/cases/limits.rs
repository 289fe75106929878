//! Sizes that are limited.

use http::Method;
use slight_e2e::{Connection, empty, full, run};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{digest_of_generated, generated};

const SMALL_BODIES: &str = "limits = { body = \"64KiB\" }";
const LIMIT: u64 = 64 * 1024;

#[tokio::test]
async fn a_body_of_just_the_limit_passes_both_ways() {
    let app = run("misbehave").toml(SMALL_BODIES).start().await;
    let mut connection = app.connect().await;
    let answer = connection.fetch(Method::POST, "/digest", generated(LIMIT)).await;
    assert_eq!(answer.json(), digest_of_generated(LIMIT));
    let answer = connection.fetch(Method::GET, &format!("/big?bytes={LIMIT}"), empty()).await;
    assert_eq!(answer.body.len() as u64, LIMIT);
}

#[tokio::test]
async fn a_request_that_announces_too_much_is_refused_at_once() {
    let app = run("misbehave").start().await;
    let mut stream = TcpStream::connect(app.address()).await.unwrap();
    stream.write_all(b"POST /digest HTTP/1.1\r\nhost: a\r\ncontent-length: 10000000000\r\n\r\n").await.unwrap();
    let mut response = vec![0; 12];
    stream.read_exact(&mut response).await.unwrap();
    assert_eq!(response, b"HTTP/1.1 413");
    assert_eq!(app.get("/ok").await.text(), "ok");
    let line = app.wait_for_log("POST /digest was answered with 413").await;
    assert!(line.contains("WARN") && line.contains("limits.body"), "{line}");
}

#[tokio::test]
async fn a_request_that_turns_out_too_large_is_answered_with_413() {
    let app = run("misbehave").toml(SMALL_BODIES).start().await;
    for mut connection in [app.connect().await, Connection::http2(app.address()).await] {
        // The guest would answer with an error of its own, so this is the host's.
        let response = connection.try_send(Method::POST, "/digest", generated(LIMIT + 1)).await;
        assert_eq!(response.expect("an answer").status(), 413);
    }
    assert_eq!(app.get("/ok").await.text(), "ok");
}

#[tokio::test]
async fn a_response_that_is_too_large_is_cut() {
    let app = run("misbehave").toml(SMALL_BODIES).start().await;
    let mut connection = app.connect().await;
    // Whether the head is out by then is a matter of time.
    if let Ok(response) = connection.try_send(Method::GET, "/big?bytes=10000000", empty()).await {
        let body = http_body_util::BodyExt::collect(response.into_body()).await;
        assert!(body.is_err(), "a part must not look like the whole");
    }
    assert_eq!(app.get("/ok").await.text(), "ok");
    app.wait_for_log("limits.body").await;
}

#[tokio::test]
async fn a_value_that_is_too_large_is_refused_with_the_limit() {
    let app = run("kv").toml("key-value = { default = \"memory\" }\nlimits = { value = \"1KiB\" }").start().await;
    assert_eq!(app.put("/kv/default/k", vec![b'x'; 1024]).await.text(), "ok");
    let error = app.put("/kv/default/k", vec![b'x'; 1025]).await.error();
    assert!(error.starts_with("other: ") && error.contains("1025 bytes") && error.contains("1024 bytes"), "{error}");
    assert_eq!(app.get("/kv/default/k").await.body.len(), 1024);
}

#[tokio::test]
async fn a_value_of_any_size_is_refused_and_not_a_trap() {
    let app = run("kv").toml("key-value = { default = \"memory\" }").start().await;
    let error = app.put("/kv/default/k", vec![b'x'; 48 << 20]).await.error();
    assert!(error.starts_with("other: ") && error.contains("50331648 bytes"), "{error}");
}

#[tokio::test]
async fn a_request_with_too_few_handles_fails_with_the_limit_in_the_log() {
    let app = run("hello-http").toml("limits = { handles = 1 }").start().await;
    app.get("/").await.refused(500);
    app.wait_for_log("limits.handles").await;
}

#[tokio::test]
async fn a_batch_that_would_return_too_much_is_refused_with_the_limit() {
    let app = run("kv").toml("key-value = { default = \"memory\" }\nlimits = { returned = \"4KiB\" }").start().await;
    for key in ["a", "b", "c"] {
        assert_eq!(app.put(&format!("/kv/default/{key}"), vec![b'x'; 2000]).await.text(), "ok");
    }
    let batch = |keys: &str| full(format!("{{\"get\": [{keys}]}}"));
    let mut connection = app.connect().await;
    let answer = connection.fetch(Method::POST, "/batch/default", batch("\"a\", \"b\"")).await;
    assert_eq!(answer.json().as_array().map(Vec::len), Some(2));
    let error = connection.fetch(Method::POST, "/batch/default", batch("\"a\", \"b\", \"c\"")).await.error();
    let said = "the 3 values together are 6000 bytes, and one call returns at most 4096 bytes (limits.returned)";
    assert!(error.contains(said), "{error}");
    // What comes after the limit was passed is not read.
    let many = vec!["\"a\""; 200].join(", ");
    let error = connection.fetch(Method::POST, "/batch/default", batch(&many)).await.error();
    assert!(error.contains("the first 64 of 200 values together are 128000 bytes"), "{error}");
}
