//! Ctrl-C and SIGTERM: what runs may finish, nothing new begins.

use bytes::Bytes;
use http::Method;
use slight_e2e::{Running, empty, eventually, run};
use tokio::net::TcpStream;

use crate::support::{hand_written, next};

async fn refuses_connections(app: &Running) {
    let address = app.address();
    eventually("a refused connection", async || TcpStream::connect(address).await.err()).await;
}

#[tokio::test]
async fn a_request_that_runs_is_finished_and_new_connections_are_refused() {
    for signal in ["TERM", "INT"] {
        let app = run("misbehave").start().await;
        let (pieces, body) = hand_written();
        let mut connection = app.connect().await;
        pieces.send(Bytes::from_static(b"begun")).await.unwrap();
        let mut answer = connection.send(Method::POST, "/echo", body).await.into_body();
        assert_eq!(next(&mut answer).await.unwrap(), "begun");

        app.signal(signal);
        app.wait_for_log("no new work is begun").await;
        refuses_connections(&app).await;
        assert!(app.is_alive());

        pieces.send(Bytes::from_static(b"and finished")).await.unwrap();
        drop(pieces);
        assert_eq!(next(&mut answer).await.unwrap(), "and finished");
        assert_eq!(next(&mut answer).await, None);
        let ended = app.end().await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
    }
}

#[tokio::test]
async fn connections_without_a_request_do_not_hold_up_the_end() {
    let app = run("hello-http").toml("limits = { drain-timeout = \"300s\" }").start().await;
    let mut used = app.connect().await;
    assert_eq!(used.fetch(Method::GET, "/", empty()).await.text(), "hello");
    let _idle = TcpStream::connect(app.address()).await.unwrap();
    let mut http2 = slight_e2e::Connection::http2(app.address()).await;
    assert_eq!(http2.fetch(Method::GET, "/", empty()).await.text(), "hello");
    assert_eq!(app.stop().await.code, Some(0));
}

#[tokio::test]
async fn what_does_not_finish_is_ended_at_the_drain_timeout() {
    let toml = "limits = { timeout = \"300s\", drain-timeout = \"500ms\" }";
    let app = run("misbehave").toml(toml).start().await;
    let mut connection = app.connect().await;
    let mut answer = connection.send(Method::GET, "/slow?chunks=100000&ms=10", empty()).await.into_body();
    assert!(next(&mut answer).await.is_some());
    app.signal("TERM");
    app.wait_for_log("limits.drain-timeout").await;
    assert_eq!(app.end().await.code, Some(0));
}

#[tokio::test]
async fn a_second_signal_ends_at_once() {
    let toml = "limits = { timeout = \"300s\", drain-timeout = \"300s\" }";
    let app = run("misbehave").toml(toml).start().await;
    let mut connection = app.connect().await;
    let mut answer = connection.send(Method::GET, "/slow?chunks=100000&ms=10", empty()).await.into_body();
    assert!(next(&mut answer).await.is_some());
    app.signal("TERM");
    app.wait_for_log("no new work is begun").await;
    app.signal("INT");
    assert_eq!(app.end().await.code, Some(130));
}

#[tokio::test]
async fn an_idle_server_ends_at_once() {
    for guest in ["hello-http", "hello-http-p3"] {
        let app = run(guest).toml("limits = { drain-timeout = \"300s\" }").start().await;
        assert_eq!(app.stop().await.code, Some(0));
    }
}

#[tokio::test]
async fn a_request_that_waits_in_the_queue_at_the_end_is_answered() {
    let app = run("misbehave").toml("limits = { concurrency = 1, queue = 8, drain-timeout = \"300s\" }").start().await;
    let (pieces, body) = hand_written();
    let (mut running, mut waiting) = (app.connect().await, app.connect().await);
    // Its connection is there for sure when the signal comes.
    assert_eq!(waiting.fetch(Method::GET, "/ok", empty()).await.text(), "ok");
    pieces.send(Bytes::from_static(b"begun")).await.unwrap();
    let mut answer = running.send(Method::POST, "/echo", body).await.into_body();
    assert_eq!(next(&mut answer).await.unwrap(), "begun");
    let waiting = tokio::spawn(async move { waiting.try_send(Method::GET, "/ok", empty()).await });
    app.signal("TERM");
    app.wait_for_log("no new work is begun").await;
    drop(pieces);
    assert_eq!(next(&mut answer).await, None);
    // Whether the request or the signal came first is a matter of time; if it was taken, it has an answer.
    if let Ok(answer) = waiting.await.unwrap() {
        assert!(answer.status() == 200 || answer.status() == 503, "{}", answer.status());
    }
    assert_eq!(app.end().await.code, Some(0));
}
