//! How HTTP is served.

use bytes::Bytes;
use futures_util::future::join_all;
use http::Method;
use slight_e2e::{Connection, Running, collect, empty, eventually, full, pieces, run};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{MIB, generated, hand_written, next, read_generated};

#[tokio::test]
async fn a_handler_of_wasi_http_0_2_answers() {
    let app = run("hello-http").start().await;
    assert_eq!(app.get("/").await.text(), "hello");
}

#[tokio::test]
async fn a_handler_of_wasi_http_0_3_answers() {
    let app = run("hello-http-p3").start().await;
    assert_eq!(app.get("/").await.text(), "hello");
}

#[tokio::test]
async fn one_connection_carries_many_requests() {
    for guest in ["misbehave", "hello-http-p3"] {
        let app = run(guest).start().await;
        let mut connection = app.connect().await;
        for number in 0..20 {
            let body = format!("number {number}");
            assert_eq!(connection.fetch(Method::POST, "/echo", full(body.clone())).await.text(), body);
        }
    }
}

#[tokio::test]
async fn http_2_is_served_without_tls_and_with_many_requests_at_a_time() {
    for guest in ["misbehave", "hello-http-p3"] {
        let app = run(guest).start().await;
        let mut connection = Connection::http2(app.address()).await;
        let mut responses = Vec::new();
        for number in 0..20 {
            responses.push(connection.send(Method::POST, "/echo", full(format!("number {number}"))).await);
        }
        let answers = join_all(responses.into_iter().map(collect)).await;
        for (number, answer) in answers.iter().enumerate() {
            assert_eq!(answer.text(), format!("number {number}"));
        }
    }
}

#[tokio::test]
async fn the_guest_sees_the_request_as_it_was_sent() {
    let app = run("misbehave").start().await;
    let mut connection = app.connect().await;
    let answer = connection.fetch_with(Method::PUT, "/request?a=1&b=x%20y", &[("x-sent", "yes")], full("body")).await;
    let seen = answer.json();
    assert_eq!(seen["method"], "PUT");
    assert_eq!(seen["scheme"], "http");
    assert_eq!(seen["authority"], app.address().to_string());
    assert_eq!(seen["query"], serde_json::json!({ "a": "1", "b": "x y" }));
    let headers = seen["headers"].as_array().expect("a list");
    assert!(headers.contains(&serde_json::json!(["x-sent", "yes"])), "{headers:?}");
}

#[tokio::test]
async fn a_guest_of_0_3_sees_scheme_and_authority_as_one_of_0_2_does() {
    let app = run("hello-http-p3").start().await;
    let address = app.address();
    for mut connection in [app.connect().await, Connection::http2(address).await] {
        let seen = connection.fetch_with(Method::GET, "/request", &[("x-sent", "yes")], empty()).await;
        assert_eq!(seen.text(), format!("http {address} x-sent"));
    }
}

#[tokio::test]
async fn status_and_headers_of_the_guest_reach_the_client() {
    let app = run("misbehave").start().await;
    let answer = app.get("/status/418").await;
    assert_eq!(answer.refused(418), "as asked");
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
}

#[tokio::test]
async fn a_response_to_head_has_no_body() {
    let app = run("misbehave").start().await;
    for mut connection in [app.connect().await, Connection::http2(app.address()).await] {
        assert_eq!(connection.fetch(Method::HEAD, "/ok", empty()).await.text(), "");
        assert_eq!(connection.fetch(Method::HEAD, "/trap", empty()).await.refused(500), "");
        for status in [204, 304] {
            let answer = connection.fetch(Method::GET, &format!("/status/{status}"), empty()).await;
            assert_eq!((answer.status.as_u16(), answer.body_text()), (status, String::new()));
        }
        assert_eq!(connection.fetch(Method::GET, "/ok", empty()).await.text(), "ok");
    }
}

#[tokio::test]
async fn a_status_that_ends_no_request_is_a_failure_of_the_component() {
    let app = run("misbehave").start().await;
    for status in [100, 101, 103] {
        app.get(&format!("/status/{status}")).await.refused(500);
        app.wait_for_log(&format!("GET /status/{status} was answered with 500: the component answered with {status}"))
            .await;
    }
}

#[tokio::test]
async fn a_response_that_the_guest_does_not_finish_is_in_the_log() {
    let app = run("misbehave").toml("limits = { body = \"1KiB\" }").start().await;
    // Not a status at all, so the guest gives up after it has begun.
    let _ = app.connect().await.try_send(Method::GET, "/status/99", empty()).await;
    app.wait_for_log("the response to GET /status/99 was cut off: the component did not write it to its end").await;
    let body = pieces(futures_util::stream::iter([vec![0; 1000], vec![0; 1000]].map(Bytes::from)));
    let _ = app.connect().await.try_send(Method::POST, "/echo", body).await;
    app.wait_for_log("limits.body (1024)").await;
}

#[tokio::test]
async fn every_request_has_a_fresh_instance() {
    let app = run("misbehave").start().await;
    let mut connection = app.connect().await;
    for _ in 0..5 {
        assert_eq!(connection.fetch(Method::GET, "/count", empty()).await.text(), "1");
    }
}

#[tokio::test]
async fn an_instance_is_reused_only_where_the_configuration_says_so_and_as_often() {
    let app = run("misbehave").toml("http = { reuse = { requests = 2 } }").start().await;
    let mut connection = app.connect().await;
    let mut reused = 0;
    // An instance that is not yet free again as the next request comes is not reused.
    eventually("instances that are reused", async || {
        let count = connection.fetch(Method::GET, "/count", empty()).await.text();
        assert!(count == "1" || count == "2", "{count}");
        reused += usize::from(count == "2");
        (reused == 10).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_request_without_a_host_is_refused() {
    let app = run("hello-http").start().await;
    let mut stream = TcpStream::connect(app.address()).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    assert!(response.starts_with("HTTP/1.1 400 "), "{response}");
    assert!(response.contains("Host"), "{response}");
    app.wait_for_log("GET / was answered with 400").await;
}

#[tokio::test]
async fn what_is_not_http_ends_its_connection_and_no_other() {
    let app = run("hello-http").start().await;
    let mut connection = app.connect().await;
    let mut stream = TcpStream::connect(app.address()).await.unwrap();
    stream.write_all(b"\x16\x03\x01 this is no HTTP\r\n\r\n").await.unwrap();
    let mut response = Vec::new();
    // Whether it is answered or reset is the server's choice.
    let _ = stream.read_to_end(&mut response).await;
    assert_eq!(connection.fetch(Method::GET, "/", empty()).await.text(), "hello");
}

#[tokio::test]
async fn bodies_stream_both_ways_at_the_same_time() {
    for guest in ["misbehave", "hello-http-p3"] {
        let app = run(guest).start().await;
        echo_piece_by_piece(app.connect().await).await;
        echo_piece_by_piece(Connection::http2(app.address()).await).await;
    }
}

/// Each piece is sent only when the one before has come back.
async fn echo_piece_by_piece(mut connection: Connection) {
    let (pieces, body) = hand_written();
    pieces.send(Bytes::from_static(b"piece 0")).await.unwrap();
    let mut answer = connection.send(Method::POST, "/echo", body).await.into_body();
    assert_eq!(next(&mut answer).await.unwrap(), "piece 0");
    for number in 1..5 {
        let piece = format!("piece {number}");
        pieces.send(piece.clone().into()).await.unwrap();
        assert_eq!(next(&mut answer).await.unwrap(), piece);
    }
    drop(pieces);
    assert_eq!(next(&mut answer).await, None);
}

#[tokio::test]
async fn a_response_is_sent_as_it_is_made() {
    let app = run("misbehave").toml("limits = { timeout = \"300s\" }").start().await;
    let mut connection = app.connect().await;
    // The guest would sleep for longer than any test waits before it went on.
    let mut answer = connection.send(Method::GET, "/slow?chunks=2&ms=200000", empty()).await.into_body();
    assert_eq!(next(&mut answer).await.unwrap(), "1\n");
}

const LARGE: u64 = 128 * MIB;
/// However long it takes.
const PATIENT: &str = "limits = { timeout = \"300s\" }";

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_large_body_goes_in_and_out_in_bounded_memory() {
    for guest in ["misbehave", "hello-http-p3"] {
        let app = run(guest).toml(PATIENT).start().await;
        assert_eq!(echo(&app, MIB).await, MIB);
        let before = app.peak_memory();
        assert_eq!(echo(&app, LARGE).await, LARGE);
        let grown = app.peak_memory().saturating_sub(before);
        assert!(grown < LARGE / 4, "the peak grew by {grown} bytes");
    }
}

async fn echo(app: &Running, length: u64) -> u64 {
    let mut connection = app.connect().await;
    read_generated(connection.send(Method::POST, "/echo", generated(length)).await.into_body()).await
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_response_that_nobody_reads_waits_in_bounded_memory() {
    let app = run("misbehave").toml(PATIENT).start().await;
    assert_eq!(app.get("/big?bytes=1000").await.body.len(), 1000);
    let before = app.peak_memory();
    let mut connection = app.connect().await;
    let path = format!("/big?bytes={LARGE}");
    let response = connection.send(Method::GET, &path, empty()).await;
    // The guest writes until it is held up; others are served meanwhile, and then it goes on.
    for _ in 0..20 {
        assert_eq!(app.get("/ok").await.text(), "ok");
    }
    assert_eq!(read_generated(response.into_body()).await, LARGE);
    let grown = app.peak_memory().saturating_sub(before);
    assert!(grown < LARGE / 4, "the peak grew by {grown} bytes");
}
