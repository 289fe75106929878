//! Every function of `wasi:keyvalue` 0.2.0-draft2, the second shape of its `get-many`, and 0.3 guests that use it.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use http::Method;
use serde_json::{Value, json};
use slight_e2e::{Running, empty, full, run};

async fn kv() -> Running {
    run("kv").toml("key-value = { \"*\" = \"memory\" }").start().await
}

#[tokio::test]
async fn a_value_is_read_as_it_was_written() {
    let app = kv().await;
    let bytes: Vec<u8> = (0..=255).collect();
    assert_eq!(app.put("/kv/b/k", bytes.clone()).await.text(), "ok");
    assert_eq!(app.get("/kv/b/k").await.body, bytes);
    assert_eq!(app.put("/kv/b/k", "").await.text(), "ok");
    assert_eq!(app.get("/kv/b/k").await.text(), "", "an empty value is a value");
}

#[tokio::test]
async fn a_missing_key_is_none_and_no_error() {
    let app = kv().await;
    app.get("/kv/b/k").await.refused(404);
    assert_eq!(app.get("/exists/b/k").await.text(), "false");
}

#[tokio::test]
async fn deleting_is_idempotent() {
    let app = kv().await;
    assert_eq!(app.put("/kv/b/k", "v").await.text(), "ok");
    assert_eq!(app.get("/exists/b/k").await.text(), "true");
    for _ in 0..2 {
        assert_eq!(app.delete("/kv/b/k").await.text(), "ok");
    }
    app.get("/kv/b/k").await.refused(404);
}

#[tokio::test]
async fn a_second_open_sees_what_the_first_wrote() {
    // Each request opens the bucket anew, in an instance of its own.
    let app = kv().await;
    for number in 0..10 {
        assert_eq!(app.put("/kv/b/k", number.to_string()).await.text(), "ok");
        assert_eq!(app.get("/kv/b/k").await.text(), number.to_string());
    }
}

#[tokio::test]
async fn buckets_do_not_share_their_keys() {
    let app = kv().await;
    assert_eq!(app.put("/kv/a/k", "of a").await.text(), "ok");
    app.get("/kv/b/k").await.refused(404);
}

#[tokio::test]
async fn the_empty_name_is_the_bucket_default() {
    let app = kv().await;
    assert_eq!(app.put("/kv/default/k", "v").await.text(), "ok");
    assert_eq!(app.get("/kv//k").await.text(), "v");
}

#[tokio::test]
async fn keys_of_any_content_are_kept_apart() {
    let app = kv().await;
    let keys = ["a", "a%2Fb", "a%2F%2Fb", "..", "%2E%2E%2F", "%25", "%2A", "%F0%9F%A6%80", "A", "%20", "%00"];
    for key in keys {
        assert_eq!(app.put(&format!("/kv/b/{key}"), key).await.text(), "ok", "{key}");
    }
    for key in keys {
        assert_eq!(app.get(&format!("/kv/b/{key}")).await.text(), key);
    }
    assert_eq!(listed(&app.get("/list-all/b").await.json()).len(), keys.len());
}

#[tokio::test]
async fn names_and_keys_that_are_empty_or_too_long_are_errors() {
    let app = kv().await;
    let (longest_key, longest_name) = ("k".repeat(512), "b".repeat(128));
    assert_eq!(app.put(&format!("/kv/b/{longest_key}"), "v").await.text(), "ok");
    assert_eq!(app.get(&format!("/open/{longest_name}")).await.text(), "ok");
    for path in ["/kv/b/".to_owned(), format!("/kv/b/{longest_key}k"), format!("/kv/{longest_name}b/k")] {
        for answer in [app.get(&path).await, app.put(&path, "v").await, app.delete(&path).await] {
            let error = answer.error();
            assert!(error.starts_with("other: "), "{path}: {error}");
        }
    }
}

fn listed(page: &Value) -> Vec<String> {
    let keys = page["keys"].as_array().expect("a list of keys").iter();
    keys.map(|key| key.as_str().expect("a key").to_owned()).collect()
}

/// 1,025 keys, since lists of backends end at 1,000.
async fn many_keys(app: &Running) -> BTreeSet<String> {
    let keys: BTreeSet<String> = (0..1025).map(|number| format!("key-{number}")).collect();
    let entries: serde_json::Map<String, Value> = keys.iter().map(|key| (key.clone(), "v".into())).collect();
    assert_eq!(app.post("/batch/many", json!({ "set": entries }).to_string()).await.status, 200);
    keys
}

#[tokio::test]
async fn a_listing_has_every_key_once_over_all_pages() {
    let app = kv().await;
    let keys = many_keys(&app).await;
    let answer = app.get("/list-all/many").await.json();
    let found = listed(&answer);
    assert_eq!(found.len(), keys.len());
    assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), keys);
    assert!(answer["pages"].as_u64() > Some(1), "{}", answer["pages"]);
}

#[tokio::test]
async fn a_cursor_leads_on_in_a_later_request() {
    let app = kv().await;
    let keys = many_keys(&app).await;
    let (mut found, mut path) = (BTreeSet::new(), "/list/many".to_owned());
    loop {
        let page = app.get(&path).await.json();
        let more = listed(&page);
        assert!(!more.is_empty(), "no page is empty unless it is the last");
        found.extend(more);
        let Some(cursor) = page["cursor"].as_str() else { break };
        path = format!("/list/many?cursor={}", escaped(cursor));
    }
    assert_eq!(found, keys);
}

fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[tokio::test]
async fn a_cursor_that_is_made_up_is_an_error() {
    let app = kv().await;
    many_keys(&app).await;
    let page = app.get("/list/many").await.json();
    let real = page["cursor"].as_str().expect("there is a second page");
    let mut changed = real.to_owned();
    let last = changed.pop().expect("it is not empty");
    changed.push(if last == 'A' { 'B' } else { 'A' });
    for cursor in ["", "x", "0", "....", &changed, &format!("{real}{real}"), &"z".repeat(10_000)] {
        let error = app.get(&format!("/list/many?cursor={}", escaped(cursor))).await.error();
        assert!(error.starts_with("other: ") && error.contains("cursor"), "{cursor:?}: {error}");
    }
}

#[tokio::test]
async fn an_empty_bucket_lists_nothing() {
    let app = kv().await;
    assert_eq!(app.get("/list/b").await.json(), json!({ "keys": [], "cursor": null }));
}

#[tokio::test]
async fn a_counter_begins_at_zero_and_goes_both_ways() {
    let app = kv().await;
    assert_eq!(app.post("/increment/b/n", "").await.text(), "1");
    assert_eq!(app.post("/increment/b/n?delta=41", "").await.text(), "42");
    assert_eq!(app.post("/increment/b/n?delta=-50", "").await.text(), "-8");
    assert_eq!(app.post("/increment/b/n?delta=0", "").await.text(), "-8");
    assert_eq!(app.get("/kv/b/n").await.text(), "-8", "a counter reads as decimal text");
}

#[tokio::test]
async fn what_is_no_number_cannot_be_incremented_and_stays() {
    let app = kv().await;
    for value in ["ten", "", "+1", "01", "1.5", " 1", "9223372036854775808"] {
        assert_eq!(app.put("/kv/b/n", value).await.text(), "ok");
        let error = app.post("/increment/b/n", "").await.error();
        assert!(error.starts_with("other: "), "{value:?}: {error}");
        assert_eq!(app.get("/kv/b/n").await.text(), value);
    }
}

#[tokio::test]
async fn a_counter_never_wraps() {
    let app = kv().await;
    for (value, delta) in [(i64::MAX, "1"), (i64::MIN, "-1")] {
        assert_eq!(app.put("/kv/b/n", value.to_string()).await.text(), "ok");
        app.post(&format!("/increment/b/n?delta={delta}"), "").await.error();
        assert_eq!(app.get("/kv/b/n").await.text(), value.to_string());
    }
}

#[tokio::test]
async fn racing_increments_lose_none() {
    let app = kv().await;
    let tasks = (0..8).map(async |_| {
        let mut connection = app.connect().await;
        for _ in 0..50 {
            connection.fetch(Method::POST, "/increment/b/n", empty()).await.text();
        }
    });
    join_all(tasks).await;
    assert_eq!(app.get("/kv/b/n").await.text(), "400");
}

#[tokio::test]
async fn racing_swaps_lose_none() {
    let app = kv().await;
    let tasks = (0..8).map(async |number| {
        let mut connection = app.connect().await;
        for _ in 0..10 {
            let letter = char::from(b'a' + number).to_string();
            connection.fetch(Method::POST, "/append/b/log", full(letter)).await.text();
        }
    });
    join_all(tasks).await;
    let mut log: Vec<char> = app.get("/kv/b/log").await.text().chars().collect();
    log.sort_unstable();
    let expected: Vec<char> = ('a'..='h').flat_map(|letter| [letter; 10]).collect();
    assert_eq!(log, expected);
}

#[tokio::test]
async fn a_swap_succeeds_if_nothing_changed() {
    let app = kv().await;
    assert_eq!(app.post("/swap/b/k", "first").await.text(), "ok", "an absent key");
    assert_eq!(app.post("/swap/b/k", "second").await.text(), "ok");
    assert_eq!(app.post("/swap/b/k?peek", "third").await.text(), "ok");
    assert_eq!(app.get("/kv/b/k").await.text(), "third");
}

#[tokio::test]
async fn a_swap_that_lost_returns_a_handle_that_can_be_tried_again() {
    let app = kv().await;
    for peek in ["", "&peek"] {
        assert_eq!(app.put("/kv/b/k", "before").await.text(), "ok");
        let lost: Value =
            serde_json::from_str(&app.post(&format!("/swap/b/k?between=other{peek}"), "mine").await.refused(409))
                .unwrap();
        assert_eq!(lost, json!({ "error": "cas-failed", "current": "other", "again": "not tried" }));
        assert_eq!(app.get("/kv/b/k").await.text(), "other");

        assert_eq!(app.put("/kv/b/k", "before").await.text(), "ok");
        let lost: Value =
            serde_json::from_str(&app.post(&format!("/swap/b/k?between=more&again{peek}"), "mine").await.refused(409))
                .unwrap();
        assert_eq!(lost, json!({ "error": "cas-failed", "current": "more", "again": "ok" }));
        assert_eq!(app.get("/kv/b/k").await.text(), "mine");
    }
}

#[tokio::test]
async fn a_swap_of_an_absent_key_that_appeared_fails() {
    let app = kv().await;
    app.post("/swap/b/k?between=other", "mine").await.refused(409);
    assert_eq!(app.get("/kv/b/k").await.text(), "other");
}

const BATCH: &str = r#"{ "set": { "a": "1", "b": "2" }, "get": ["a", "none", "b", "a"], "delete": ["a", "none"] }"#;

#[tokio::test]
async fn a_batch_keeps_the_order_and_has_nothing_for_missing_keys() {
    let app = kv().await;
    let found = app.post("/batch/b", BATCH).await.json();
    assert_eq!(found, json!([["a", "1"], null, ["b", "2"], ["a", "1"]]));
    app.get("/kv/b/a").await.refused(404);
    assert_eq!(app.get("/kv/b/b").await.text(), "2");
}

#[tokio::test]
async fn the_second_shape_of_get_many_is_served_to_who_asks_for_it() {
    let app = run("kv-pairs").start().await;
    let found = app.post("/batch/b", BATCH).await.json();
    assert_eq!(found, json!([["a", "1"], ["none", null], ["b", "2"], ["a", "1"]]));
    assert_eq!(app.post("/batch/b", r#"{ "get": ["a", "b"] }"#).await.json(), json!([["a", null], ["b", "2"]]));
}

#[tokio::test]
async fn an_empty_batch_is_served() {
    let app = kv().await;
    assert_eq!(app.post("/batch/b", r#"{ "set": {}, "get": [], "delete": [] }"#).await.json(), json!([]));
}

#[tokio::test]
async fn a_handler_of_wasi_http_0_3_has_key_value() {
    let app = run("kv-p3").start().await;
    app.get("/b/k").await.refused(404);
    assert_eq!(app.get("/b/k?value").await.text(), "value");
    assert_eq!(app.get("/b/k").await.text(), "value");
    let answers = join_all((0..20).map(async |number| app.get(&format!("/b/k{number}?{number}")).await.text()));
    assert_eq!(answers.await, (0..20).map(|number| number.to_string()).collect::<Vec<_>>());
}
