//! Asking over messages.

use std::time::Instant;

use futures_util::future::join_all;
use serde_json::{Value, json};
use slight_e2e::{Running, eventually, run};

const TOML: &str = r#"
key-value = { default = "memory" }
limits = { backend-timeout = "20s" }

[messaging]
default = "memory"

[[messaging.subscriptions]]
topics = ["t"]
group = "g"
"#;

async fn messaging() -> Running {
    run("messaging").toml(TOML).start().await
}

async fn ask(app: &Running, topic: &str, query: &str, data: &str) -> slight_e2e::Answer {
    app.post(&format!("/request/{topic}?{query}"), data.to_owned()).await
}

fn data(replies: &Value) -> Vec<&str> {
    replies.as_array().expect("a list").iter().map(|reply| reply["data"].as_str().expect("text")).collect()
}

#[tokio::test]
async fn a_request_is_answered() {
    let app = messaging().await;
    for options in ["", "&replies=1", "&timeout-ms=30000", "&replies=1&timeout-ms=30000"] {
        let replies = ask(&app, "t", &format!("meta-do=reply{options}"), "hello").await.json();
        assert_eq!(data(&replies), ["HELLO"]);
        assert_eq!(replies[0]["content_type"], "text/plain");
        assert_eq!(replies[0]["metadata"], json!([["number", "1"]]));
    }
}

#[tokio::test]
async fn a_request_takes_as_many_replies_as_it_wants() {
    let app = messaging().await;
    let replies = ask(&app, "t", "meta-do=reply:3&replies=3&timeout-ms=30000", "hello").await.json();
    assert_eq!(data(&replies), ["HELLO"; 3]);
    let replies = ask(&app, "t", "meta-do=reply:3&replies=2&timeout-ms=30000", "hello").await.json();
    assert_eq!(data(&replies), ["HELLO"; 2]);
}

#[tokio::test]
async fn fewer_replies_than_wanted_are_returned_at_the_timeout() {
    let app = messaging().await;
    let replies = ask(&app, "t", "meta-do=reply:2&replies=5&timeout-ms=5000", "hello").await.json();
    assert_eq!(data(&replies), ["HELLO"; 2]);
}

#[tokio::test]
async fn no_reply_is_a_timeout() {
    let app = messaging().await;
    assert_eq!(ask(&app, "nobody", "timeout-ms=200", "hello").await.error(), "timeout");
    assert_eq!(ask(&app, "t", "timeout-ms=200", "handled, not answered").await.error(), "timeout");
}

#[tokio::test]
async fn without_a_timeout_the_configured_one_holds() {
    let app = run("messaging").toml(&TOML.replace("20s", "1s")).start().await;
    let start = Instant::now();
    assert_eq!(ask(&app, "nobody", "", "hello").await.error(), "timeout");
    assert!(start.elapsed().as_millis() >= 1000, "{:?}", start.elapsed());
}

#[tokio::test]
async fn requests_at_the_same_time_get_their_own_replies() {
    let app = messaging().await;
    let asked = join_all((0..30).map(async |number| {
        let replies = ask(&app, "t", "meta-do=reply&timeout-ms=30000", &format!("request {number}")).await.json();
        assert_eq!(data(&replies), [format!("REQUEST {number}")]);
    }));
    asked.await;
}

#[tokio::test]
async fn a_reply_to_who_did_not_ask_does_nothing() {
    let app = messaging().await;
    assert_eq!(app.post("/send/t?meta-id=one&meta-do=reply:2", "x").await.text(), "ok");
    eventually("the message", async || (app.get("/deliveries/one").await.status == 200).then_some(())).await;
    assert_eq!(data(&ask(&app, "t", "meta-do=reply", "next").await.json()), ["NEXT"]);
    assert_eq!(app.get("/deliveries/one").await.text(), "1", "the handler succeeded");
}

#[tokio::test]
async fn a_client_without_a_route_cannot_ask() {
    let app = messaging().await;
    let error = ask(&app, "t", "client=other", "x").await.error();
    assert!(error.starts_with("permission-denied: "), "{error}");
}
