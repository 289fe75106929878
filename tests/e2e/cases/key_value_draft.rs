//! Every function of `wasi:keyvalue` 0.2.0-draft, where counters and cursors are `u64`.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use serde_json::{Value, json};
use slight_e2e::{Running, run};

async fn kv() -> Running {
    run("kv-draft").start().await
}

#[tokio::test]
async fn values_are_written_read_and_deleted() {
    let app = kv().await;
    app.get("/kv/b/k").await.refused(404);
    assert_eq!(app.put("/kv/b/k", "v").await.text(), "ok");
    assert_eq!(app.get("/kv/b/k").await.text(), "v");
    assert_eq!(app.get("/exists/b/k").await.text(), "true");
    for _ in 0..2 {
        assert_eq!(app.delete("/kv/b/k").await.text(), "ok");
    }
    assert_eq!(app.get("/exists/b/k").await.text(), "false");
}

#[tokio::test]
async fn a_batch_keeps_the_order_and_has_nothing_for_missing_keys() {
    let app = kv().await;
    let batch = r#"{ "set": { "a": "1", "b": "2" }, "get": ["a", "none", "b"], "delete": ["a", "none"] }"#;
    assert_eq!(app.post("/batch/b", batch).await.json(), json!([["a", "1"], null, ["b", "2"]]));
    app.get("/kv/b/a").await.refused(404);
}

#[tokio::test]
async fn an_unrouted_name_is_access_denied() {
    let app = run("kv-draft").toml("key-value = { known = \"memory\" }").start().await;
    assert_eq!(app.put("/kv/known/k", "v").await.text(), "ok");
    for answer in [app.get("/kv/b/k").await, app.put("/kv/b/k", "v").await, app.post("/increment/b/k", "").await] {
        assert_eq!(answer.error(), "access-denied");
    }
}

async fn many_keys(app: &Running) -> BTreeSet<String> {
    let keys: BTreeSet<String> = (0..1025).map(|number| format!("key-{number}")).collect();
    let entries: serde_json::Map<String, Value> = keys.iter().map(|key| (key.clone(), "v".into())).collect();
    assert_eq!(app.post("/batch/many", json!({ "set": entries }).to_string()).await.status, 200);
    keys
}

#[tokio::test]
async fn cursors_lead_to_every_key() {
    let app = kv().await;
    let keys = many_keys(&app).await;
    let (mut found, mut path, mut pages) = (Vec::new(), "/list/many".to_owned(), 0);
    loop {
        let page = app.get(&path).await.json();
        found.extend(page["keys"].as_array().unwrap().iter().map(|key| key.as_str().unwrap().to_owned()));
        pages += 1;
        let Some(cursor) = page["cursor"].as_str() else { break };
        path = format!("/list/many?cursor={cursor}");
    }
    assert!(pages > 1);
    assert_eq!(found.len(), keys.len());
    assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), keys);
}

#[tokio::test]
async fn a_cursor_that_is_made_up_or_of_another_bucket_is_an_error() {
    let app = kv().await;
    many_keys(&app).await;
    let page = app.get("/list/many").await.json();
    let real: u64 = page["cursor"].as_str().expect("there is a second page").parse().unwrap();
    for path in [
        "/list/many?cursor=0".to_owned(),
        format!("/list/many?cursor={}", u64::MAX),
        format!("/list/many?cursor={}", real.wrapping_add(1)),
        format!("/list/other?cursor={real}"),
    ] {
        let error = app.get(&path).await.error();
        assert!(error.starts_with("other: ") && error.contains("cursor"), "{path}: {error}");
    }
    assert_eq!(app.get(&format!("/list/many?cursor={real}")).await.status, 200);
}

#[tokio::test]
async fn a_counter_counts_up() {
    let app = kv().await;
    assert_eq!(app.post("/increment/b/n", "").await.text(), "1");
    assert_eq!(app.post("/increment/b/n?delta=41", "").await.text(), "42");
    assert_eq!(app.get("/kv/b/n").await.text(), "42");
}

#[tokio::test]
async fn a_delta_that_no_counter_can_hold_is_an_error_and_changes_nothing() {
    let app = kv().await;
    assert_eq!(app.post("/increment/b/n", "").await.text(), "1");
    for delta in [u64::MAX, 1 << 63, (1 << 63) - 1] {
        let error = app.post(&format!("/increment/b/n?delta={delta}"), "").await.error();
        assert!(error.starts_with("other: "), "{error}");
    }
    assert_eq!(app.get("/kv/b/n").await.text(), "1");
}

#[tokio::test]
async fn a_counter_below_zero_is_an_error() {
    let app = kv().await;
    assert_eq!(app.put("/kv/b/n", "-5").await.text(), "ok");
    let error = app.post("/increment/b/n?delta=2", "").await.error();
    assert!(error.starts_with("other: "), "{error}");
}

#[tokio::test]
async fn racing_increments_lose_none() {
    let app = kv().await;
    join_all((0..8).map(async |_| {
        for _ in 0..50 {
            app.post("/increment/b/n", "").await.text();
        }
    }))
    .await;
    assert_eq!(app.get("/kv/b/n").await.text(), "400");
}
