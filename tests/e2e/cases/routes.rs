//! Names of the guest, and where the configuration leads them.

use slight_e2e::run;

#[tokio::test]
async fn one_guest_under_two_configurations_that_differ_in_routes() {
    let one = run("kv").toml("[key-value]\nusers = \"memory\"").start().await;
    let two = run("kv").toml("[providers.fast]\ntype = \"memory\"\n[key-value]\nsessions = \"fast\"").start().await;
    assert_eq!(one.put("/kv/users/k", "v").await.text(), "ok");
    assert_eq!(one.put("/kv/sessions/k", "v").await.error(), "access-denied");
    assert_eq!(two.put("/kv/users/k", "v").await.error(), "access-denied");
    assert_eq!(two.put("/kv/sessions/k", "v").await.text(), "ok");
}

#[tokio::test]
async fn without_a_configuration_every_name_leads_to_memory() {
    let app = run("kv").start().await;
    for bucket in ["", "default", "any", "other%20name"] {
        assert_eq!(app.put(&format!("/kv/{bucket}/k"), "v").await.text(), "ok");
    }
}

#[tokio::test]
async fn with_a_configuration_a_name_without_a_route_is_denied_to_every_function() {
    let app = run("kv").toml("").start().await;
    let path = "/kv/b/k";
    for answer in [
        app.get(path).await,
        app.put(path, "v").await,
        app.delete(path).await,
        app.get("/exists/b/k").await,
        app.get("/open/b").await,
        app.get("/list/b").await,
        app.post("/increment/b/k", "").await,
        app.post("/swap/b/k", "v").await,
        app.post("/batch/b", "{}").await,
    ] {
        assert_eq!(answer.error(), "access-denied");
    }
}

#[tokio::test]
async fn a_star_routes_every_other_name() {
    let toml = "[key-value]\nlocked = { provider = \"memory\", access = \"read\" }\n\"*\" = \"memory\"";
    let app = run("kv").toml(toml).start().await;
    assert_eq!(app.put("/kv/any/k", "v").await.text(), "ok");
    assert_eq!(app.put("/kv/locked/k", "v").await.error(), "access-denied");
}

#[tokio::test]
async fn a_read_only_route_reads_and_does_not_write() {
    let app = run("kv").toml("[key-value]\nb = { provider = \"memory\", access = \"read\" }").start().await;
    for answer in [
        app.put("/kv/b/k", "v").await,
        app.delete("/kv/b/k").await,
        app.post("/increment/b/k", "").await,
        app.post("/swap/b/k", "v").await,
        app.post("/batch/b", "{ \"set\": { \"k\": \"v\" } }").await,
        app.post("/batch/b", "{ \"delete\": [\"k\"] }").await,
    ] {
        assert_eq!(answer.error(), "access-denied");
    }
    app.get("/kv/b/k").await.refused(404);
    assert_eq!(app.get("/exists/b/k").await.text(), "false");
    assert_eq!(app.get("/list/b").await.json()["keys"], serde_json::json!([]));
    assert_eq!(app.post("/batch/b", "{ \"get\": [\"k\"] }").await.json(), serde_json::json!([null]));
}

#[tokio::test]
async fn a_bucket_may_be_called_otherwise_in_the_backend() {
    let toml = "[key-value]\nsessions = { provider = \"memory\", name = \"shop-sessions\" }\n\
                read = { provider = \"memory\", name = \"shop-sessions\", access = \"read\" }\n\
                apart = { provider = \"memory\", prefix = \"eu\", name = \"shop-sessions\" }\n\"*\" = \"memory\"";
    let app = run("kv").toml(toml).start().await;
    assert_eq!(app.put("/kv/sessions/k", "v").await.text(), "ok");
    for bucket in ["shop-sessions", "read"] {
        assert_eq!(app.get(&format!("/kv/{bucket}/k")).await.text(), "v", "{bucket}");
    }
    app.get("/kv/apart/k").await.refused(404);
    // What an operator is told is the name in the file.
    assert_eq!(app.put("/kv/read/k", "v").await.error(), "access-denied");
    app.wait_for_log("a write to the bucket \"read\" was denied").await;
}

#[tokio::test]
async fn a_container_may_be_called_otherwise_in_the_backend() {
    let toml = "[providers.disk]\ntype = \"file\"\npath = \".\"\n\
                [blob]\nphotos = { provider = \"disk\", name = \"pictures\" }\nother = \"disk\"";
    let app = run("blob").toml(toml).start().await;
    app.put("/containers/photos", "").await.refused(201);
    app.put("/objects/photos/cat", "meow").await.refused(201);
    app.put("/containers/other", "").await.refused(201);
    assert_eq!(app.get("/containers/photos/info").await.json()["info"]["name"], "photos");
    let copied = app.post("/copy", r#"{"src": ["photos", "cat"], "dest": ["other", "dog"]}"#).await;
    assert_eq!(copied.text(), "ok");
    assert_eq!(app.get("/objects/other/dog").await.text(), "meow");
    let folders = std::fs::read_dir(app.dir().join("slight-blob")).unwrap();
    let folders: Vec<String> = folders.map(|folder| folder.unwrap().file_name().into_string().unwrap()).collect();
    assert!(folders.contains(&"pictures".to_owned()) && !folders.contains(&"photos".to_owned()), "{folders:?}");
}

#[tokio::test]
async fn prefixes_and_sections_keep_names_apart() {
    let toml = r#"
        [providers.one]
        type = "memory"
        [providers.two]
        type = "memory"
        [key-value]
        plain = "one"
        prefixed = { provider = "one", prefix = "shop" }
        elsewhere = "two"
        "shop/prefixed" = "two"
    "#;
    let app = run("kv").toml(toml).start().await;
    let buckets = ["plain", "prefixed", "elsewhere", "shop%2Fprefixed"];
    for bucket in buckets {
        assert_eq!(app.put(&format!("/kv/{bucket}/k"), bucket).await.text(), "ok");
    }
    for bucket in buckets {
        assert_eq!(app.get(&format!("/kv/{bucket}/k")).await.text(), bucket);
        assert_eq!(app.get(&format!("/list/{bucket}")).await.json()["keys"], serde_json::json!(["k"]));
    }
}

#[tokio::test]
async fn the_same_prefix_and_name_of_one_provider_are_one_bucket() {
    // "" and "default" are one name, so they are one route.
    let app = run("kv").toml("[key-value]\n\"\" = { provider = \"memory\", prefix = \"shop\" }").start().await;
    assert_eq!(app.put("/kv/default/k", "v").await.text(), "ok");
    assert_eq!(app.get("/kv//k").await.text(), "v");
}

/// The lines of the log that have this in them.
fn lines<'a>(log: &'a str, part: &str) -> Vec<&'a str> {
    log.lines().filter(|line| line.contains(part)).collect()
}

#[tokio::test]
async fn what_is_denied_is_in_the_log_with_what_to_change_and_does_not_flood_it() {
    let toml = "[key-value]\ncatalog = { provider = \"memory\", access = \"read\" }";
    let app = run("kv").toml(toml).start().await;
    for _ in 0..10 {
        assert_eq!(app.put("/kv/users/k", "v").await.error(), "access-denied");
        assert_eq!(app.put("/kv/catalog/k", "v").await.error(), "access-denied");
    }
    let log = app.stop().await.stderr;
    let (unrouted, read_only) = (lines(&log, "\"users\" was denied"), lines(&log, "\"catalog\" was denied"));
    assert!(unrouted.len() == 1 && read_only.len() == 1, "{log}");
    for part in ["WARN", "has no route", "add \"users\" = ", "[key-value]"] {
        assert!(unrouted[0].contains(part), "{part} is missing in {}", unrouted[0]);
    }
    for part in ["WARN", "reads only", "\"read-write\" for \"catalog\"", "[key-value]"] {
        assert!(read_only[0].contains(part), "{part} is missing in {}", read_only[0]);
    }
}

#[tokio::test]
async fn what_is_denied_through_the_star_names_the_star() {
    let app = run("kv").toml("[key-value]\n\"*\" = { provider = \"memory\", access = \"read\" }").start().await;
    assert_eq!(app.put("/kv/users/k", "v").await.error(), "access-denied");
    let line = app.wait_for_log("\"users\" was denied").await;
    assert!(line.contains("\"read-write\" for \"*\""), "{line}");
}

#[tokio::test]
async fn denied_containers_are_in_the_log_too() {
    let blob = run("blob").toml("[blob]\nphotos = { provider = \"memory\", access = \"read\" }").start().await;
    blob.get("/list/other").await.error();
    let line = blob.wait_for_log("the container \"other\" was denied").await;
    assert!(line.contains("WARN") && line.contains("[blob]"), "{line}");
    blob.put("/containers/photos", "").await.error();
    let line = blob.wait_for_log("a write to the container \"photos\" was denied").await;
    assert!(line.contains("WARN") && line.contains("[blob]"), "{line}");
}
