//! Clients that are slow, or go away.

use bytes::Bytes;
use futures_util::future::join_all;
use http::Method;
use http_body_util::BodyExt;
use slight_e2e::{Connection, Running, empty, eventually, full, run};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{hand_written, next};

/// One instance at a time, so that whoever keeps it keeps everyone.
const ONE_AT_A_TIME: &str = "limits = { concurrency = 1, queue = 8, timeout = \"60s\" }";
const ONE_AT_A_TIME_AND_SHORT: &str = "limits = { concurrency = 1, queue = 8, timeout = \"1s\" }";

async fn is_served_in_the_end(app: &Running) {
    eventually("a free place for the next request", async || {
        let mut connection = app.connect().await;
        let response = connection.try_send(Method::GET, "/ok", empty()).await.ok()?;
        let is_ok = response.status() == 200;
        // A request that waited for the place of another may reach its own timeout in the middle of its response.
        let body = response.into_body().collect().await;
        (is_ok && body.is_ok()).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_of_its_request_frees_its_place() {
    let app = run("misbehave").toml(ONE_AT_A_TIME).start().await;
    let (pieces, body) = hand_written();
    let mut connection = app.connect().await;
    pieces.send(Bytes::from_static(b"begun")).await.unwrap();
    let mut answer = connection.send(Method::POST, "/echo", body).await.into_body();
    assert_eq!(next(&mut answer).await.unwrap(), "begun");
    drop((answer, connection, pieces));
    is_served_in_the_end(&app).await;
}

#[tokio::test]
async fn a_client_that_leaves_before_the_response_frees_its_place() {
    let app = run("misbehave").toml(ONE_AT_A_TIME).start().await;
    let mut stream = TcpStream::connect(app.address()).await.unwrap();
    stream.write_all(b"POST /digest HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\nonly this").await.unwrap();
    drop(stream);
    is_served_in_the_end(&app).await;
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_of_the_response_frees_its_place() {
    let app = run("misbehave").toml(ONE_AT_A_TIME).start().await;
    let mut connection = app.connect().await;
    let mut answer = connection.send(Method::GET, "/big?bytes=1000000000", empty()).await.into_body();
    assert!(next(&mut answer).await.is_some());
    drop((answer, connection));
    is_served_in_the_end(&app).await;
}

#[tokio::test]
async fn a_guest_that_panics_since_its_client_has_left_is_no_error() {
    let toml = "[blob]\nphotos = \"memory\"";
    let app = run("photos").toml(toml).env("SLIGHT_LOG", "debug").start().await;
    let mut connection = app.connect().await;
    connection.fetch(Method::PUT, "/photos/large", full(vec![0; 20 << 20])).await.text();
    let mut answer = connection.send(Method::GET, "/photos/large", empty()).await.into_body();
    assert!(next(&mut answer).await.is_some());
    drop((answer, connection));
    app.wait_for_log("the client of GET /photos/large left before the end of its response").await;
    assert!(!app.log().contains(" ERROR "), "{}", app.log());
}

#[tokio::test]
async fn a_response_that_is_reset_frees_its_place_and_its_connection_goes_on() {
    let app = run("misbehave").toml(ONE_AT_A_TIME).start().await;
    let mut connection = Connection::http2(app.address()).await;
    let mut answer = connection.send(Method::GET, "/big?bytes=1000000000", empty()).await.into_body();
    assert!(next(&mut answer).await.is_some());
    // Of the stream alone: the connection is still in use.
    drop(answer);
    is_served_in_the_end(&app).await;
    assert_eq!(connection.fetch(Method::GET, "/ok", empty()).await.text(), "ok");
}

#[tokio::test]
async fn a_client_that_never_reads_its_response_loses_its_place_at_the_timeout() {
    let app = run("misbehave").toml(ONE_AT_A_TIME_AND_SHORT).start().await;
    let mut stream = TcpStream::connect(app.address()).await.unwrap();
    stream.write_all(b"GET /big?bytes=1000000000 HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    // The response has begun.
    stream.readable().await.unwrap();
    is_served_in_the_end(&app).await;
}

#[tokio::test]
async fn a_client_that_never_sends_its_body_loses_its_place_at_the_timeout() {
    let app = run("misbehave").toml(ONE_AT_A_TIME_AND_SHORT).start().await;
    let mut stream = TcpStream::connect(app.address()).await.unwrap();
    stream.write_all(b"POST /digest HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\nonly this").await.unwrap();
    let mut response = [0; 12];
    stream.read_exact(&mut response).await.unwrap();
    assert_eq!(&response, b"HTTP/1.1 408");
    app.wait_for_log("POST /digest was answered with 408: its body did not arrive within limits.timeout").await;
    is_served_in_the_end(&app).await;
}

#[tokio::test]
async fn an_answer_that_comes_before_the_end_of_the_request_reaches_a_client_that_sends_all_of_it_first() {
    let app = run("misbehave").toml("limits = { body = \"1MiB\" }").start().await;
    let (large, small) = (vec![b'x'; 20 << 20], vec![b'x'; 1 << 20]);
    // One is refused by its length, one by what comes, and one the guest does not read.
    for (head, body, status) in [
        (format!("POST /digest HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n", large.len()), &large, "413"),
        (
            format!("POST /digest HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n", large.len()),
            &large,
            "413",
        ),
        (format!("POST /ok HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n", small.len()), &small, "200"),
    ] {
        for _ in 0..5 {
            let mut stream = TcpStream::connect(app.address()).await.unwrap();
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.write_all(body).await.unwrap();
            let mut response = [0; 12];
            stream.read_exact(&mut response).await.unwrap();
            assert_eq!(String::from_utf8_lossy(&response), format!("HTTP/1.1 {status}"));
        }
    }
}

#[tokio::test]
async fn a_body_that_comes_slowly_arrives_whole() {
    const BODY: &str = "0123456789";
    let app = run("misbehave").start().await;
    let (pieces, body) = hand_written();
    let mut connection = app.connect().await;
    pieces.send(Bytes::from_static(&BODY.as_bytes()[..1])).await.unwrap();
    let length = [("content-length", "10")];
    let response = connection.try_send_with(Method::POST, "/echo", &length, body).await.unwrap();
    assert_eq!(response.status(), 200);
    let (mut answer, mut echoed) = (response.into_body(), Vec::new());
    // No byte leaves before the one ahead of it has been all the way.
    for byte in BODY.bytes().skip(1) {
        echoed.extend(next(&mut answer).await.unwrap());
        pieces.send(Bytes::from(vec![byte])).await.unwrap();
    }
    drop(pieces);
    while let Some(piece) = next(&mut answer).await {
        echoed.extend(piece);
    }
    assert_eq!(String::from_utf8_lossy(&echoed), BODY);
}

#[tokio::test]
async fn beyond_the_limit_clients_wait_until_others_leave() {
    let app = run("hello-http").toml("limits = { connections = 2 }").start().await;
    let held = [app.connect().await, app.connect().await];
    let waiting = app.get("/");
    let mut waiting = std::pin::pin!(waiting);
    tokio::select! {
        answer = &mut waiting => panic!("answered beyond the limit: {}", answer.status),
        _ = app.wait_for_log("limits.connections") => {}
    }
    drop(held);
    assert_eq!(waiting.await.text(), "hello");
}

#[tokio::test]
async fn idle_connections_keep_nobody_from_being_served() {
    let app = run("hello-http").toml("limits = { concurrency = 2, queue = 2 }").start().await;
    let idle = join_all((0..300).map(|_| TcpStream::connect(app.address()))).await;
    assert!(idle.iter().all(Result::is_ok));
    for _ in 0..10 {
        assert_eq!(app.get("/").await.text(), "hello");
    }
}
