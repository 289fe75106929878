//! More requests than there is room for.

use bytes::Bytes;
use futures_util::future::join_all;
use http::Method;
use slight_e2e::{Answer, Connection, Running, empty, eventually, run};
use tokio::{sync::mpsc, task::JoinSet};

use crate::support::{hand_written, next};

/// A request that runs until it is told to end.
struct Held {
    pieces: mpsc::Sender<Bytes>,
    answer: hyper::body::Incoming,
    _connection: Connection,
}

impl Held {
    async fn begin(app: &Running) -> Self {
        let (pieces, body) = hand_written();
        let mut connection = app.connect().await;
        pieces.send(Bytes::from_static(b"begun")).await.unwrap();
        let mut answer = connection.send(Method::POST, "/echo", body).await.into_body();
        assert_eq!(next(&mut answer).await.unwrap(), "begun");
        Self { pieces, answer, _connection: connection }
    }

    async fn end(mut self) {
        drop(self.pieces);
        assert_eq!(next(&mut self.answer).await, None);
    }
}

#[tokio::test]
async fn beyond_the_queue_requests_are_turned_away_and_those_in_it_are_served() {
    let app = run("misbehave").toml("limits = { concurrency = 2, queue = 1 }").start().await;
    let held = [Held::begin(&app).await, Held::begin(&app).await];
    let mut waiting = JoinSet::new();
    for _ in 0..3 {
        let mut connection = app.connect().await;
        waiting.spawn(async move { connection.fetch(Method::GET, "/ok", empty()).await });
    }
    for _ in 0..2 {
        let answer = waiting.join_next().await.unwrap().unwrap();
        assert!(answer.refused(503).contains("Try again"), "{}", answer.body_text());
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
    for held in held {
        held.end().await;
    }
    assert_eq!(waiting.join_next().await.unwrap().unwrap().text(), "ok");
    let line = app.wait_for_log("limits.concurrency").await;
    assert!(line.contains("WARN") && line.contains("GET /ok was answered with 503"), "{line}");
}

#[tokio::test]
async fn without_a_queue_nothing_waits() {
    let app = run("misbehave").toml("limits = { concurrency = 1, queue = 0 }").start().await;
    let held = Held::begin(&app).await;
    app.get("/ok").await.refused(503);
    held.end().await;
    // The place is free soon after the end of the response.
    let free = async || (app.get("/ok").await.status == 200).then_some(());
    eventually("a free place", free).await;
}

#[tokio::test]
async fn waiting_in_the_queue_ends_at_the_timeout() {
    let app = run("misbehave").toml("limits = { concurrency = 1, queue = 8, timeout = \"1s\" }").start().await;
    eventually("a request that waited in vain", async || {
        let mut answers: [Answer; 2] = tokio::join!(app.get("/loop"), app.get("/loop")).into();
        answers.sort_by_key(|answer| answer.status.as_u16());
        let [ran, waited] = answers;
        assert!(ran.refused(500).contains("limits.timeout"), "{}", ran.body_text());
        // Where the two came apart, the one that waited had the place for the rest of its own time.
        (waited.status != 500).then(|| assert!(waited.refused(503).contains("Try again"), "{}", waited.body_text()))
    })
    .await;
}

#[tokio::test]
async fn hundreds_of_requests_at_a_time_are_served() {
    let app = run("hello-http").start().await;
    let requests = (0..400).map(|_| app.get("/"));
    for answer in join_all(requests).await {
        assert_eq!(answer.text(), "hello");
    }
}
