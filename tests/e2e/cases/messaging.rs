//! `wasi:messaging` 0.2.0-draft: sending, receiving, redelivery and the end.

use std::time::Instant;

use serde_json::{Value, json};
use slight_e2e::{Running, eventually, run};

/// The topic `t` in the group `g`, and its dead letters in a group of their own.
const TOML: &str = r#"
key-value = { default = "memory" }
limits = { timeout = "60s" }

[messaging]
default = "memory"

[[messaging.subscriptions]]
topics = ["t"]
group = "g"
max-deliveries = 3

[[messaging.subscriptions]]
topics = ["t.g.dead"]
group = "watch"
max-deliveries = 1
"#;

async fn messaging() -> Running {
    run("messaging").toml(TOML).start().await
}

async fn send(app: &Running, topic: &str, query: &str, data: &str) {
    assert_eq!(app.post(&format!("/send/{topic}?{query}"), data.to_owned()).await.text(), "ok");
}

/// What the handler got under this id, once it has.
async fn received(app: &Running, id: &str) -> Value {
    eventually("a message", async || {
        let answer = app.get(&format!("/received/{id}")).await;
        (answer.status == 200).then(|| answer.json())
    })
    .await
}

async fn deliveries(app: &Running, id: &str) -> u64 {
    let answer = app.get(&format!("/deliveries/{id}")).await;
    if answer.status == 404 { 0 } else { answer.text().parse().expect("a number") }
}

async fn until_delivered(app: &Running, id: &str, times: u64) {
    eventually("the deliveries", async || (deliveries(app, id).await >= times).then_some(())).await;
}

fn metadata<'a>(message: &'a Value, name: &str) -> Option<&'a str> {
    let entries = message["metadata"].as_array()?.iter();
    let mut values = entries.filter(|entry| entry[0] == name).map(|entry| &entry[1]);
    values.next().and_then(Value::as_str)
}

#[tokio::test]
async fn a_message_arrives_as_it_was_sent() {
    let app = messaging().await;
    send(&app, "t", "meta-id=one&meta-a=1&meta-a=2&meta-b=x%20y&content-type=application/json", "{}").await;
    let message = received(&app, "one").await;
    assert_eq!(message["topic"], "t");
    assert_eq!(message["content_type"], "application/json");
    assert_eq!(message["metadata"], json!([["id", "one"], ["a", "2"], ["b", "x y"]]));
    assert_eq!((&message["data"], &message["length"]), (&json!("{}"), &json!(2)));
}

#[tokio::test]
async fn an_empty_message_without_anything_arrives() {
    let app = messaging().await;
    send(&app, "t", "", "").await;
    let message = received(&app, "1").await;
    assert_eq!(
        (&message["topic"], &message["content_type"], &message["length"]),
        (&json!("t"), &Value::Null, &json!(0))
    );
}

#[tokio::test]
async fn a_message_of_256_kib_arrives_and_one_beyond_the_limit_is_refused() {
    let app = messaging().await;
    send(&app, "t", "meta-id=large", &"x".repeat(256 * 1024 - 100)).await;
    assert_eq!(received(&app, "large").await["length"], 256 * 1024 - 100);
    let error = app.post("/send/t", vec![b'x'; 2 << 20]).await.error();
    assert!(error.starts_with("other: ") && error.contains("limit"), "{error}");
}

#[tokio::test]
async fn each_of_many_messages_is_handled() {
    let app = messaging().await;
    send(&app, "t", "times=200", "x").await;
    let all = eventually("200 messages", async || {
        let all = app.get("/received").await.json();
        (all.as_object()?.len() == 200).then_some(all)
    })
    .await;
    assert!(all.as_object().unwrap().values().all(|message| message["data"] == "x"));
}

#[tokio::test]
async fn every_group_gets_every_message_and_a_topic_without_one_goes_nowhere() {
    let toml = "key-value = { default = \"memory\" }\nmessaging = { default = \"memory\", subscriptions = [\
                { topics = [\"t\"], group = \"one\" }, { topics = [\"t\", \"u\"], group = \"two\" }] }";
    let app = run("messaging").toml(toml).start().await;
    send(&app, "other", "meta-id=nobodys", "x").await;
    send(&app, "u", "meta-id=of-two", "x").await;
    send(&app, "t", "meta-id=of-both", "x").await;
    until_delivered(&app, "of-both", 2).await;
    until_delivered(&app, "of-two", 1).await;
    assert_eq!(deliveries(&app, "nobodys").await, 0);
    assert_eq!(deliveries(&app, "of-two").await, 1);
    assert_eq!(deliveries(&app, "of-both").await, 2);
}

#[tokio::test]
async fn topics_are_literal() {
    let toml = "key-value = { default = \"memory\" }\nmessaging = { default = \"memory\", subscriptions = [\
                { topics = [\"*\", \"a.>\", \"last\"], group = \"g\" }] }";
    let app = run("messaging").toml(toml).start().await;
    for (topic, id) in [("any", "1"), ("a.b", "2"), ("%2A", "star"), ("a.%3E", "more"), ("last", "last")] {
        send(&app, topic, &format!("meta-id={id}"), "x").await;
    }
    for id in ["star", "more", "last"] {
        until_delivered(&app, id, 1).await;
    }
    assert_eq!((deliveries(&app, "1").await, deliveries(&app, "2").await), (0, 0));
}

#[tokio::test]
async fn a_message_whose_handler_fails_comes_again_after_a_pause() {
    let app = messaging().await;
    for failure in ["error", "trap"] {
        let start = Instant::now();
        send(&app, "t", &format!("meta-id={failure}&meta-do={failure}:1"), "x").await;
        until_delivered(&app, failure, 2).await;
        // Half of the first pause, which varies.
        assert!(start.elapsed().as_millis() >= 250, "{:?}", start.elapsed());
    }
    send(&app, "t", "meta-id=last", "x").await;
    until_delivered(&app, "last", 1).await;
    assert_eq!(
        (deliveries(&app, "error").await, deliveries(&app, "trap").await),
        (2, 2),
        "what was handled stays away"
    );
}

#[tokio::test]
async fn a_message_that_fails_too_often_goes_to_the_dead_letters_with_the_reason() {
    let app = messaging().await;
    for (failure, reason) in [("error", "asked for an error"), ("trap", "unreachable")] {
        // Fails until it is a dead letter: then it is handled.
        send(
            &app,
            "t",
            &format!("meta-id={failure}&meta-do={failure}:3&meta-own=kept&content-type=text/plain"),
            "data",
        )
        .await;
        let letter = eventually("the dead letter", async || {
            Some(received(&app, failure).await).filter(|message| message["topic"] == "t.g.dead")
        })
        .await;
        assert_eq!((&letter["data"], &letter["content_type"]), (&json!("data"), &json!("text/plain")));
        for (name, value) in
            [("own", "kept"), ("dead-letter-topic", "t"), ("dead-letter-group", "g"), ("dead-letter-count", "3")]
        {
            assert_eq!(metadata(&letter, name), Some(value), "{letter}");
        }
        assert!(metadata(&letter, "dead-letter-time").is_some(), "{letter}");
        let error = metadata(&letter, "dead-letter-error").unwrap_or_default();
        assert!(error.contains(reason), "{error:?} does not tell {reason:?}");
    }
}

#[tokio::test]
async fn a_handler_that_never_ends_is_stopped_and_counts_as_failed() {
    let toml =
        TOML.replace("max-deliveries = 3", "max-deliveries = 2").replace("timeout = \"60s\"", "timeout = \"3s\"");
    let app = run("messaging").toml(&toml).start().await;
    send(&app, "t", "meta-id=loop&meta-do=loop", "x").await;
    let beside = async {
        send(&app, "t", "meta-id=beside", "x").await;
        until_delivered(&app, "beside", 1).await;
    };
    tokio::join!(beside, until_delivered(&app, "loop", 2));
    let line = app.wait_for_log("dead-letter topic").await;
    assert!(line.contains("limits.timeout") && line.contains("t.g.dead"), "{line}");
    assert_eq!(app.get("/received").await.status, 200);
}

#[tokio::test]
async fn subscribing_on_the_command_line_needs_no_configuration() {
    let app = run("messaging").arg("--subscribe").arg("a").arg("--subscribe").arg("b").start().await;
    send(&app, "a", "meta-id=a", "x").await;
    send(&app, "b", "meta-id=b", "x").await;
    assert_eq!(received(&app, "a").await["topic"], "a");
    assert_eq!(received(&app, "b").await["topic"], "b");
}

#[tokio::test]
async fn a_client_without_a_route_is_denied() {
    let app = messaging().await;
    assert_eq!(app.get("/connect/default").await.text(), "ok");
    assert_eq!(app.get("/connect/").await.text(), "ok", "the empty name is the default");
    let error = app.get("/connect/other").await.error();
    assert!(error.starts_with("permission-denied: ") && error.contains("other"), "{error}");
    let error = app.post("/send/t?client=other", "x").await.error();
    assert!(error.starts_with("permission-denied: "), "{error}");
    let line = app.wait_for_log("the client \"other\" was denied").await;
    assert!(line.contains("WARN") && line.contains("[messaging]"), "{line}");
}

#[tokio::test]
async fn a_topic_that_is_empty_or_too_long_is_an_error() {
    let app = messaging().await;
    send(&app, &"t".repeat(128), "", "x").await;
    for topic in ["", &"t".repeat(129)] {
        let error = app.post(&format!("/send/{topic}"), "x").await.error();
        assert!(error.starts_with("other: "), "{error}");
    }
}

#[tokio::test]
async fn a_handler_that_runs_at_the_end_is_finished_and_nothing_new_begins() {
    let app = messaging().await;
    // Much longer than it may take to notice that it runs.
    send(&app, "t", "meta-id=slow&meta-do=sleep:6000", "x").await;
    until_delivered(&app, "slow", 1).await;
    let start = Instant::now();
    let ended = app.stop().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(start.elapsed().as_millis() > 500, "the handler was not awaited");
    assert!(!ended.stderr.contains("WARN") && !ended.stderr.contains("ERROR"), "{ended:?}");
}

#[tokio::test]
async fn a_handler_that_does_not_end_in_time_is_stopped_at_the_end() {
    let toml = TOML.replace("timeout = \"60s\"", "timeout = \"300s\", drain-timeout = \"500ms\"");
    let app = run("messaging").toml(&toml).start().await;
    send(&app, "t", "meta-id=slow&meta-do=sleep:250000", "x").await;
    until_delivered(&app, "slow", 1).await;
    let ended = app.stop().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stderr.contains("limits.drain-timeout"), "{ended:?}");
}
