//! Every function of `wasi:blobstore` 0.2.0-draft.

use std::{
    collections::BTreeSet,
    time::{SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};
use slight_e2e::{Answer, Running, eventually, run};

use crate::support::{MIB, digest_of_generated, generated, hand_written, read_generated};

/// With a container `c`.
async fn blob() -> Running {
    blob_with("").await
}

async fn blob_with(toml: &str) -> Running {
    let app = run("blob").toml(&format!("blob = {{ \"*\" = \"memory\" }}\n{toml}")).start().await;
    assert_eq!(app.put("/containers/c", "").await.status, 201);
    app
}

async fn upload(app: &Running, path: &str, content: impl Into<Bytes>) {
    assert_eq!(app.put(path, content).await.refused(201), "ok");
}

async fn names(app: &Running, container: &str) -> BTreeSet<String> {
    let listing = app.get(&format!("/list/{container}")).await.json();
    let names: Vec<String> = serde_json::from_value(listing["names"].clone()).unwrap();
    let distinct: BTreeSet<String> = names.iter().cloned().collect();
    assert_eq!(names.len(), distinct.len(), "{names:?}");
    distinct
}

#[tokio::test]
async fn an_object_is_read_as_it_was_written_in_either_order_of_calls() {
    let app = blob().await;
    for order in ["write-data-first", "body-first"] {
        for mode in ["", "?mode=sync"] {
            let content: Vec<u8> = (0..=255).collect();
            upload(&app, &format!("/objects/c/o?order={order}"), content.clone()).await;
            let answer = app.get(&format!("/objects/c/o{mode}")).await;
            assert_eq!(answer.body, content);
            assert_eq!(answer.header("x-size"), Some("256"));
        }
        upload(&app, &format!("/objects/c/empty?order={order}"), "").await;
        assert_eq!(app.get("/objects/c/empty").await.text(), "");
    }
}

#[tokio::test]
async fn a_later_object_replaces_an_earlier_one() {
    let app = blob().await;
    upload(&app, "/objects/c/o", "a longer first").await;
    upload(&app, "/objects/c/o", "second").await;
    assert_eq!(app.get("/objects/c/o").await.text(), "second");
}

#[tokio::test]
async fn nothing_is_stored_without_finish() {
    let app = blob().await;
    for order in ["write-data-first", "body-first"] {
        assert_eq!(app.put(&format!("/objects/c/o?finish=no&order={order}"), "lost").await.status, 201);
        assert_eq!(app.get("/exists/c/o").await.text(), "false");
    }
    upload(&app, "/objects/c/o", "kept").await;
    assert_eq!(app.put("/objects/c/o?finish=no", "lost").await.status, 201);
    assert_eq!(app.get("/objects/c/o").await.text(), "kept");
}

#[tokio::test]
async fn finish_without_write_data_is_an_error() {
    let app = blob().await;
    let error = app.put("/objects/c/o?order=no-write-data", "lost").await.error();
    assert!(error.contains("write-data"), "{error}");
    assert_eq!(names(&app, "c").await, BTreeSet::new());
}

#[tokio::test]
async fn the_body_and_the_place_are_taken_once() {
    let app = blob().await;
    let error = app.put("/objects/c/o?twice=write-body", "x").await.error();
    assert_eq!(error, "the second write-body failed");
    let error = app.put("/objects/c/o?twice=write-data", "x").await.error();
    assert!(error.starts_with("the second write-data failed: "), "{error}");
    assert_eq!(app.get("/exists/c/o").await.text(), "false");
}

#[tokio::test]
async fn ranges_are_inclusive_and_end_with_the_object() {
    let app = blob().await;
    upload(&app, "/objects/c/o", "0123456789").await;
    for (range, expected) in [
        ("start=0&end=0", "0"),
        ("start=2&end=5", "2345"),
        ("start=9&end=9", "9"),
        ("start=8&end=1000", "89"),
        ("start=3", "3456789"),
        ("start=10", ""),
        ("start=1000&end=2000", ""),
        ("start=5&end=4", ""),
    ] {
        for mode in ["", "&mode=sync"] {
            let answer = app.get(&format!("/objects/c/o?{range}{mode}")).await;
            assert_eq!(answer.text(), expected, "{range}");
            assert_eq!(answer.header("x-size"), Some(expected.len().to_string().as_str()), "{range}");
        }
    }
}

#[tokio::test]
async fn a_missing_object_is_an_error_that_names_it() {
    let app = blob().await;
    for answer in [app.get("/objects/c/none").await, app.get("/info/c/none").await, app.get("/digest/c/none").await] {
        let error = answer.error();
        assert!(error.contains("\"none\"") && error.contains("\"c\""), "{error}");
    }
    assert_eq!(app.get("/exists/c/none").await.text(), "false");
}

#[tokio::test]
async fn objects_and_containers_tell_their_names_sizes_and_times() {
    let app = blob().await;
    upload(&app, "/objects/c/a%2Fb", "12345").await;
    let info = app.get("/info/c/a%2Fb").await.json();
    assert_eq!((&info["name"], &info["container"], &info["size"]), (&json!("a/b"), &json!("c"), &json!(5)));
    let container = app.get("/containers/c/info").await.json();
    assert_eq!((&container["name"], &container["info"]["name"]), (&json!("c"), &json!("c")));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    for created_at in [&info["created_at"], &container["info"]["created_at"]] {
        let age = now.abs_diff(created_at.as_u64().unwrap());
        assert!(age < 600, "seconds since the epoch, not {created_at}");
    }
}

#[tokio::test]
async fn containers_are_made_once_found_and_removed_with_what_they_hold() {
    let app = blob().await;
    let error = app.put("/containers/c", "").await.error();
    assert!(error.contains("\"c\""), "{error}");
    assert_eq!(app.get("/containers/c").await.text(), "true");
    upload(&app, "/objects/c/o", "x").await;
    for _ in 0..2 {
        assert_eq!(app.delete("/containers/c").await.text(), "ok");
    }
    assert_eq!(app.get("/containers/c").await.text(), "false");
    assert_eq!(app.put("/containers/c", "").await.status, 201);
    assert_eq!(names(&app, "c").await, BTreeSet::new());
}

#[tokio::test]
async fn a_missing_container_is_an_error_and_not_made_by_writing() {
    let app = blob().await;
    for answer in [
        app.get("/objects/none/o").await,
        app.put("/objects/none/o", "x").await,
        app.get("/list/none").await,
        app.get("/containers/none/info").await,
        app.post("/containers/none/clear", "").await,
    ] {
        let error = answer.error();
        assert!(error.contains("\"none\""), "{error}");
    }
    assert_eq!(app.get("/containers/none").await.text(), "false");
}

#[tokio::test]
async fn a_listing_is_read_and_skipped_piece_by_piece() {
    let app = blob().await;
    let all: BTreeSet<String> = (0..30).map(|number| format!("o{number}")).collect();
    for name in &all {
        upload(&app, &format!("/objects/c/{name}"), "x").await;
    }
    assert_eq!(names(&app, "c").await, all);
    for (query, skipped) in
        [("len=7", 0), ("len=1", 0), ("len=30", 0), ("len=7&skip=10", 10), ("len=100&skip=30", 30), ("skip=99", 30)]
    {
        let listing = app.get(&format!("/list/c?{query}")).await.json();
        let listed: BTreeSet<String> = serde_json::from_value(listing["names"].clone()).unwrap();
        assert_eq!((listed.len(), &listing["skipped"]), (30 - skipped, &json!(skipped)), "{query}");
        assert!(listed.is_subset(&all));
    }
}

#[tokio::test]
async fn objects_are_removed_one_by_one_together_and_all_at_once() {
    let app = blob().await;
    for name in ["a", "b", "c", "d", "e"] {
        upload(&app, &format!("/objects/c/{name}"), "x").await;
    }
    for _ in 0..2 {
        assert_eq!(app.delete("/objects/c/a").await.text(), "ok");
    }
    assert_eq!(app.post("/delete/c", r#"["b", "none", "c"]"#).await.text(), "ok");
    assert_eq!(names(&app, "c").await, BTreeSet::from(["d".into(), "e".into()]));
    assert_eq!(app.post("/containers/c/clear", "").await.text(), "ok");
    assert_eq!(names(&app, "c").await, BTreeSet::new());
    assert_eq!(app.get("/containers/c").await.text(), "true");
}

async fn transfer(app: &Running, how: &str, source: [&str; 2], destination: [&str; 2]) -> Answer {
    app.post(&format!("/{how}"), json!({ "src": source, "dest": destination }).to_string()).await
}

#[tokio::test]
async fn copies_and_moves_replace_what_is_there_also_across_containers() {
    let app = blob().await;
    assert_eq!(app.put("/containers/d", "").await.status, 201);
    upload(&app, "/objects/c/o", "content").await;
    upload(&app, "/objects/d/o", "older and longer").await;
    assert_eq!(transfer(&app, "copy", ["c", "o"], ["d", "o"]).await.text(), "ok");
    assert_eq!(app.get("/objects/d/o").await.text(), "content");
    assert_eq!(app.get("/objects/c/o").await.text(), "content");
    assert_eq!(transfer(&app, "move", ["c", "o"], ["d", "p"]).await.text(), "ok");
    assert_eq!(app.get("/objects/d/p").await.text(), "content");
    assert_eq!(app.get("/exists/c/o").await.text(), "false");
}

#[tokio::test]
async fn an_object_copied_or_moved_onto_itself_stays() {
    let app = blob().await;
    upload(&app, "/objects/c/o", "content").await;
    for how in ["copy", "move"] {
        assert_eq!(transfer(&app, how, ["c", "o"], ["c", "o"]).await.text(), "ok");
        assert_eq!(app.get("/objects/c/o").await.text(), "content");
    }
}

#[tokio::test]
async fn a_missing_source_or_destination_is_an_error() {
    let app = blob().await;
    upload(&app, "/objects/c/o", "content").await;
    for how in ["copy", "move"] {
        transfer(&app, how, ["c", "none"], ["c", "p"]).await.error();
        transfer(&app, how, ["c", "none"], ["c", "none"]).await.error();
        transfer(&app, how, ["none", "o"], ["c", "p"]).await.error();
        transfer(&app, how, ["c", "o"], ["none", "p"]).await.error();
    }
    assert_eq!(names(&app, "c").await, BTreeSet::from(["o".into()]));
}

#[tokio::test]
async fn names_of_any_content_are_kept_apart() {
    let app = blob().await;
    let objects = ["a", "a%2Fb", "a%2F%2Fb", "..", "%2E%2E%2F", "%25", "%5C", "%F0%9F%A6%80", "A", "%20"];
    for object in objects {
        upload(&app, &format!("/objects/c/{object}"), object).await;
    }
    for object in objects {
        assert_eq!(app.get(&format!("/objects/c/{object}")).await.text(), object);
    }
    assert_eq!(names(&app, "c").await.len(), objects.len());
}

#[tokio::test]
async fn names_that_are_empty_or_too_long_are_errors() {
    let app = blob().await;
    upload(&app, &format!("/objects/c/{}", "o".repeat(512)), "x").await;
    for path in
        ["/objects/c/".to_owned(), format!("/objects/c/{}", "o".repeat(513)), format!("/objects/{}/o", "c".repeat(129))]
    {
        app.put(&path, "x").await.error();
        app.get(&path).await.error();
    }
}

#[tokio::test]
async fn a_container_without_a_route_is_denied_and_a_read_only_one_not_written() {
    let toml = "[blob]\nc = { provider = \"memory\", access = \"read\" }";
    let app = run("blob").toml(toml).start().await;
    for answer in
        [app.get("/objects/other/o").await, app.put("/containers/other", "").await, app.get("/containers/other").await]
    {
        let error = answer.error();
        assert!(error.contains("other") && error.contains("route"), "{error}");
    }
    for answer in [app.put("/containers/c", "").await, app.delete("/containers/c").await] {
        let error = answer.error();
        assert!(error.contains("reads only"), "{error}");
    }
    assert_eq!(app.get("/containers/c").await.text(), "false");
}

#[tokio::test]
async fn an_upload_whose_client_leaves_changes_nothing() {
    let app = blob().await;
    upload(&app, "/objects/c/o", "kept").await;
    for object in ["o", "new"] {
        let (pieces, body) = hand_written();
        let mut connection = app.connect().await;
        let sent = tokio::spawn(async move {
            connection.try_send(Method::PUT, &format!("/objects/c/{object}"), body).await.is_ok()
        });
        for _ in 0..20 {
            pieces.send(Bytes::from(vec![0; 64 * 1024])).await.unwrap();
        }
        sent.abort();
        assert!(sent.await.is_err(), "there can be no answer yet");
        drop(pieces);
    }
    // Whenever the host notices, and before.
    for _ in 0..20 {
        assert_eq!(app.get("/objects/c/o").await.text(), "kept");
        assert_eq!(names(&app, "c").await, BTreeSet::from(["o".into()]));
    }
}

#[tokio::test]
async fn what_is_written_before_its_place_is_known_is_limited_and_else_not() {
    let app = blob_with("limits = { spool = \"1MiB\" }").await;
    let length = 4 * MIB;
    let error = app.post(&format!("/generate/c/o?bytes={length}&order=body-first"), "").await.error();
    assert!(error.contains("limits.spool"), "{error}");
    assert_eq!(app.get("/exists/c/o").await.text(), "false");
    let written: Value =
        serde_json::from_str(&app.post(&format!("/generate/c/o?bytes={length}"), "").await.refused(201)).unwrap();
    assert_eq!(written, digest_of_generated(length));
    assert_eq!(app.get("/digest/c/o").await.json(), written);
}

#[tokio::test]
async fn a_value_too_large_for_one_call_can_be_streamed() {
    let app = blob_with("limits = { returned = \"1MiB\" }").await;
    assert_eq!(app.post("/generate/c/o?mib=2", "").await.status, 201);
    let error = app.get("/objects/c/o?mode=sync").await.error();
    assert!(error.contains("incoming-value-consume-async"), "{error}");
    assert_eq!(app.get("/objects/c/o?start=5&end=9&mode=sync").await.body, [5, 6, 7, 8, 9][..]);
    assert_eq!(app.get("/objects/c/o").await.body.len() as u64, 2 * MIB);
}

/// The provider keeps what is stored in memory, so that is what the host may grow by.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn large_objects_stream_in_memory_that_does_not_grow_with_them() {
    const LARGE: u64 = 96 * MIB;
    const BOUND: u64 = 40 * MIB;
    let app = blob_with("limits = { timeout = \"300s\" }").await;
    assert_eq!(app.post("/generate/c/small?mib=1&order=body-first", "").await.status, 201);

    let before = app.peak_memory();
    assert_eq!(app.post("/generate/c/o?mib=96&order=body-first&finish=no", "").await.status, 201);
    let spooled = app.peak_memory().saturating_sub(before);
    assert!(spooled < BOUND, "a spooled body took {spooled} bytes");

    let mut connection = app.connect().await;
    assert_eq!(connection.fetch(Method::PUT, "/objects/c/o", generated(LARGE)).await.status, 201);
    let stored = app.peak_memory();
    let grown = stored.saturating_sub(before);
    assert!(grown < LARGE + BOUND, "storing took {grown} bytes");

    let response = connection.send(Method::GET, "/objects/c/o", slight_e2e::empty()).await;
    assert_eq!(read_generated(response.into_body()).await, LARGE);
    assert_eq!(app.get("/digest/c/o").await.json(), digest_of_generated(LARGE));
    let read = app.peak_memory().saturating_sub(stored);
    assert!(read < BOUND, "reading took {read} bytes");
}

#[tokio::test]
async fn racing_writes_leave_one_whole_object() {
    let app = blob().await;
    let writes = (0..8u8).map(async |number| {
        let content = vec![number; 300_000];
        let answer = app.put("/objects/c/o", content).await;
        assert!(answer.status == 201 || answer.status == 422, "{}", answer.body_text());
    });
    futures_util::future::join_all(writes).await;
    let body = app.get("/objects/c/o").await.body;
    assert_eq!(body.len(), 300_000);
    assert!(body.iter().all(|byte| *byte == body[0]));
    // Nothing of the others is left.
    eventually("one object", async || (names(&app, "c").await.len() == 1).then_some(())).await;
}
