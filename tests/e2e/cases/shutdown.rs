//! Ctrl-C, SIGTERM and SIGHUP: what runs may finish, nothing new begins.

use bytes::Bytes;
use http::Method;
use slight_e2e::{Answer, Connection, Running, empty, eventually, run};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use crate::support::{hand_written, next};

const NO_DELAY: &str = "http = { shutdown-delay = \"0s\" }";

async fn refuses_connections(app: &Running) {
    let address = app.address();
    eventually("a refused connection", async || TcpStream::connect(address).await.err()).await;
}

#[tokio::test]
async fn a_request_that_runs_is_finished_and_new_connections_are_refused() {
    for signal in ["TERM", "INT", "HUP"] {
        let app = run("misbehave").toml(NO_DELAY).start().await;
        let (pieces, body) = hand_written();
        let mut connection = app.connect().await;
        pieces.send(Bytes::from_static(b"begun")).await.unwrap();
        let mut answer = connection.send(Method::POST, "/echo", body).await.into_body();
        assert_eq!(next(&mut answer).await.unwrap(), "begun");

        app.signal(signal);
        app.wait_for_log(": draining").await;
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
    let mut http2 = Connection::http2(app.address()).await;
    assert_eq!(http2.fetch(Method::GET, "/", empty()).await.text(), "hello");
    assert_eq!(app.stop().await.code, Some(0));
}

#[tokio::test]
async fn what_does_not_finish_is_ended_at_the_drain_timeout() {
    let toml = format!("{NO_DELAY}\nlimits = {{ timeout = \"300s\", drain-timeout = \"500ms\" }}");
    let app = run("misbehave").toml(&toml).start().await;
    let mut connection = app.connect().await;
    let mut answer = connection.send(Method::GET, "/slow?chunks=100000&ms=10", empty()).await.into_body();
    assert!(next(&mut answer).await.is_some());
    app.signal("TERM");
    app.wait_for_log("the response to GET /slow was cut off").await;
    let ended = app.end().await;
    assert_eq!(ended.code, Some(0));
    tells_the_truth(&ended.stderr);
}

/// What was stopped has not failed, and nothing panicked.
fn tells_the_truth(log: &str) {
    assert!(log.contains("limits.drain-timeout"), "{log}");
    assert!(!log.contains("ERROR") && !log.contains("panicked") && !log.contains("failed"), "{log}");
}

#[tokio::test]
async fn a_request_without_a_response_at_the_drain_timeout_is_answered_with_503() {
    // The guest waits for an answer to its own request.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let toml = format!(
        "component = {{ http-outbound = [\"{url}\"] }}\n\
         limits = {{ timeout = \"300s\", drain-timeout = \"500ms\", backend-timeout = \"100ms\" }}"
    );
    let app = run("misbehave").toml(&toml).start().await;
    let (mut http1, mut http2) = (app.connect().await, Connection::http2(app.address()).await);
    let path = format!("/outbound?url={url}/");
    let answers =
        async { tokio::join!(http1.fetch(Method::GET, &path, empty()), http2.fetch(Method::GET, &path, empty())) };
    let stop = async {
        let _waiting = [silent.accept().await.unwrap(), silent.accept().await.unwrap()];
        app.signal("TERM");
        app.wait_for_log("GET /outbound was answered with 503").await;
    };
    let ((one, two), ()) = tokio::join!(answers, stop);
    assert_eq!(one.header("connection"), Some("close"));
    for answer in [one, two] {
        assert!(answer.refused(503).contains("being stopped"), "{}", answer.body_text());
    }
    let ended = app.end().await;
    assert_eq!(ended.code, Some(0));
    // The same within a second is said once.
    assert_eq!(ended.stderr.matches("GET /outbound was answered with 503").count(), 1, "{}", ended.stderr);
    assert!(ended.stderr.contains("left out, being like those above: 1"), "{}", ended.stderr);
    tells_the_truth(&ended.stderr);
}

/// Sends two requests while nothing is free, and has the one turned away: so the other is in the queue.
async fn in_and_beyond_a_queue_of_one(app: &Running) -> JoinSet<Answer> {
    let mut waiting = JoinSet::new();
    for _ in 0..2 {
        let mut connection = app.connect().await;
        waiting.spawn(async move { connection.fetch(Method::GET, "/ok", empty()).await });
    }
    let turned_away = waiting.join_next().await.unwrap().unwrap();
    assert!(turned_away.refused(503).contains("busy"), "{}", turned_away.body_text());
    waiting
}

#[tokio::test]
async fn a_request_in_the_queue_at_the_drain_timeout_is_answered_with_503() {
    let toml = "limits = { concurrency = 1, queue = 1, timeout = \"300s\", drain-timeout = \"500ms\" }";
    let app = run("misbehave").toml(toml).start().await;
    let mut running = app.connect().await;
    let mut answer = running.send(Method::GET, "/slow?chunks=100000&ms=10", empty()).await.into_body();
    assert!(next(&mut answer).await.is_some());
    let mut waiting = in_and_beyond_a_queue_of_one(&app).await;
    app.signal("TERM");
    let stopped = waiting.join_next().await.unwrap().unwrap();
    assert!(stopped.refused(503).contains("being stopped"), "{}", stopped.body_text());
    tells_the_truth(&app.end().await.stderr);
}

#[tokio::test]
async fn an_instance_that_waits_for_its_next_request_has_not_failed_at_the_end() {
    let app = run("misbehave").toml("http = { reuse = { requests = 100 } }").start().await;
    assert_eq!(app.get("/ok").await.text(), "ok");
    let ended = app.stop().await;
    assert_eq!(ended.code, Some(0));
    assert!(!ended.stderr.contains("ERROR"), "{}", ended.stderr);
}

#[tokio::test]
async fn a_second_signal_ends_at_once() {
    let toml = "limits = { timeout = \"300s\", drain-timeout = \"300s\" }";
    let app = run("misbehave").toml(toml).start().await;
    let mut connection = app.connect().await;
    let mut answer = connection.send(Method::GET, "/slow?chunks=100000&ms=10", empty()).await.into_body();
    assert!(next(&mut answer).await.is_some());
    app.signal("TERM");
    app.wait_for_log(": draining").await;
    app.signal("INT");
    let ended = app.end().await;
    assert_eq!(ended.code, Some(130));
    assert!(ended.stderr.contains("interrupted once more: what runs is cut off"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("stopped"), "{}", ended.stderr);
}

#[tokio::test]
async fn an_idle_server_ends_at_once() {
    for guest in ["hello-http", "hello-http-p3"] {
        let app = run(guest).toml("limits = { drain-timeout = \"300s\" }").start().await;
        let ended = app.stop().await;
        assert_eq!(ended.code, Some(0));
        let last: Vec<&str> = ended.stderr.lines().rev().take(2).collect();
        assert!(last[0].ends_with("stopped") && last[1].contains(": draining"), "{}", ended.stderr);
    }
}

#[tokio::test]
async fn a_request_that_waits_in_the_queue_at_the_end_is_answered() {
    let app = run("misbehave").toml("limits = { concurrency = 1, queue = 1, drain-timeout = \"300s\" }").start().await;
    let (pieces, body) = hand_written();
    let mut running = app.connect().await;
    pieces.send(Bytes::from_static(b"begun")).await.unwrap();
    let mut answer = running.send(Method::POST, "/echo", body).await.into_body();
    assert_eq!(next(&mut answer).await.unwrap(), "begun");
    let mut waiting = in_and_beyond_a_queue_of_one(&app).await;
    app.signal("TERM");
    app.wait_for_log(": draining").await;
    drop(pieces);
    assert_eq!(next(&mut answer).await, None);
    assert_eq!(waiting.join_next().await.unwrap().unwrap().text(), "ok");
    assert_eq!(app.end().await.code, Some(0));
}

#[tokio::test]
async fn connections_are_accepted_for_a_while_and_told_to_be_the_last() {
    let app = run("hello-http").toml("http = { shutdown-delay = \"60s\" }").start().await;
    let mut kept = app.connect().await;
    assert_eq!(kept.fetch(Method::GET, "/", empty()).await.header("connection"), None);
    app.signal("TERM");
    app.wait_for_log("http.shutdown-delay").await;
    for mut connection in [kept, app.connect().await] {
        let answer = connection.fetch(Method::GET, "/", empty()).await;
        assert_eq!((answer.header("connection"), answer.text().as_str()), (Some("close"), "hello"));
    }
}

#[tokio::test]
async fn a_terminal_that_closes_cuts_nothing_off_and_ends_nothing_that_is_to_outlive_it() {
    let app = run("hello-http").toml("http = { shutdown-delay = \"0s\" }").start().await;
    app.signal("HUP");
    let ended = app.end().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stderr.contains("hung up: "), "{ended:?}");
}
