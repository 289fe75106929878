use serde_json::json;
use slight_capabilities::{Capability, ErrorKind, QualifiedName, Readiness};
use slight_provider_s3::kind;
use slight_services::{Fault, Rule, SEAWEEDFS, Server, free_port, present};

use crate::support::{S3_BUCKET, blobs, bucket, container, eventually, merge, place, place_on, text, value};

#[tokio::test]
async fn a_missing_bucket_is_named_with_what_to_do() {
    let Some(place) = place() else { return };
    let mut settings = place.settings();
    merge(&mut settings, json!({ "blob": { "location": "no-such-bucket", "create": false } }));
    let provider = kind().connect(settings).await.unwrap();
    let error = provider.prepare(Capability::Blob).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    for part in ["no-such-bucket", "blob.location", "blob.create = true"] {
        assert!(error.message().contains(part), "{error}");
    }
    assert_eq!(provider.inspect(Capability::Blob).await.unwrap_err().message(), error.message());
}

#[tokio::test]
async fn inspecting_says_what_would_be_made_and_makes_nothing() {
    let Some(place) = place() else { return };
    let mut settings = place.settings();
    settings["key-value"] = json!({ "location": "inspected", "create": true });
    let provider = kind().connect(settings).await.unwrap();
    for _ in 0..2 {
        let missing = Readiness::ToBeCreated("the S3 bucket inspected".into());
        assert_eq!(provider.inspect(Capability::KeyValue).await.unwrap(), missing);
    }
    provider.prepare(Capability::KeyValue).await.unwrap();
    assert_eq!(provider.inspect(Capability::KeyValue).await.unwrap(), Readiness::Ready);
}

#[tokio::test]
async fn buckets_are_not_made_unless_asked_for() {
    let Some(place) = place() else { return };
    let mut settings = place.settings();
    settings["key-value"] = json!({ "location": "never-made" });
    let provider = kind().connect(settings).await.unwrap();
    assert_eq!(provider.prepare(Capability::KeyValue).await.unwrap_err().kind(), ErrorKind::NotFound);
    let buckets = place.client().list_buckets().send().await.unwrap();
    assert!(buckets.buckets().iter().all(|bucket| bucket.name() != Some("never-made")));
}

#[tokio::test]
async fn a_name_that_somebody_else_has_is_said_to_be_taken() {
    let Some(place) = place() else { return };
    let (place, faults) = place.behind_faults();
    faults.add(Rule::always(Fault::answer(404, "<Error><Code>NoSuchBucket</Code></Error>")).method("GET"));
    faults.add(Rule::always(Fault::answer(409, "<Error><Code>BucketAlreadyExists</Code></Error>")).method("PUT"));
    let provider = kind().connect(place.settings()).await.unwrap();
    let error = provider.prepare(Capability::Blob).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    assert!(error.message().contains("somebody else"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_start_at_once_make_one_bucket() {
    let Some(place) = place() else { return };
    let mut settings = place.settings();
    settings["key-value"] = json!({ "location": "made-by-many", "create": true });
    let starts = (0..8).map(|_| {
        let settings = settings.clone();
        async move { kind().connect(settings).await.unwrap().prepare(Capability::KeyValue).await }
    });
    for started in futures_util::future::join_all(starts).await {
        started.unwrap();
    }
}

#[tokio::test]
async fn a_second_preparation_changes_nothing() {
    let Some(place) = place() else { return };
    let provider = place.provider().await;
    bucket(&*provider).await.set("key", "1".into()).await.unwrap();
    provider.prepare(Capability::KeyValue).await.unwrap();
    assert_eq!(value(&*bucket(&*provider).await, "key").await.as_deref(), Some("1"));
}

#[tokio::test]
async fn keys_in_s3_are_those_that_the_page_tells_of() {
    let Some(place) = place() else { return };
    let provider = place.provider().await;
    let sessions = provider.key_value().unwrap().open(&QualifiedName::new("shop/", "sessions")).await.unwrap();
    sessions.set("users/42", "1".into()).await.unwrap();
    sessions.set("a b", "2".into()).await.unwrap();
    let photos = blobs(&*provider).create(&"photos".into()).await.unwrap();
    photos.write("2026/cat.jpg", text("cat")).await.unwrap();
    photos.write("..", text("odd")).await.unwrap();
    let mut keys = place.keys().await;
    keys.sort_unstable();
    let expected = [
        "blob/photos/.slight-container",
        "blob/photos/2026/cat.jpg",
        "blob/photos/=Li4",
        "kv/shop+/=+/sessions/=YSBi",
        "kv/shop+/=+/sessions/users/42",
    ];
    assert_eq!(keys, expected);
}

#[tokio::test]
async fn entries_of_a_bucket_that_is_gone_and_not_to_be_made_are_not_found() {
    let Some(place) = place() else { return };
    let mut settings = place.settings();
    settings["key-value"] = json!({ "location": "short-lived", "create": false });
    place.client().create_bucket().bucket("short-lived").send().await.unwrap();
    let provider = kind().connect(settings).await.unwrap();
    provider.prepare(Capability::KeyValue).await.unwrap();
    place.client().delete_bucket().bucket("short-lived").send().await.unwrap();
    let entries = bucket(&*provider).await;
    for error in [
        entries.get("key").await.unwrap_err(),
        entries.set("key", "1".into()).await.unwrap_err(),
        entries.swap("key", None, "1".into()).await.unwrap_err(),
        entries.increment("key", 1).await.unwrap_err(),
        entries.keys(None).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        assert!(error.message().contains("short-lived"), "{error}");
    }
}

#[tokio::test]
async fn an_existing_location_may_be_a_part_of_a_bucket() {
    let Some(place) = place() else { return };
    let provider = place.provider().await;
    let location = format!("{S3_BUCKET}/{}/theirs", place.prefix);
    let theirs = blobs(&*provider).existing(&location).await.unwrap();
    theirs.write("a file.txt", text("1")).await.unwrap();
    assert_eq!(place.keys().await, ["theirs/a file.txt"]);
    assert_eq!(theirs.list(None).await.unwrap().items, ["a file.txt"]);
    theirs.info().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_eager_start_without_a_server_fails_and_a_lazy_one_does_not() {
    let Some(mut server) = present(Server::start(&SEAWEEDFS, &[])) else { return };
    let place = place_on(&server);
    // So that the S3 bucket is there.
    place.provider().await;
    tokio::task::block_in_place(|| server.stop());
    let eager = kind().connect(place.settings()).await.unwrap();
    let error = eager.prepare(Capability::KeyValue).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert_eq!(eager.ping().await.unwrap_err().kind(), ErrorKind::Unavailable);

    let lazy = place.provider_with(json!({ "connect": "lazy" })).await;
    let entries = bucket(&*lazy).await;
    assert_eq!(entries.get("key").await.unwrap_err().kind(), ErrorKind::Unavailable);
    tokio::task::block_in_place(|| server.restart());
    entries.set("key", "1".into()).await.unwrap();
    container(&*lazy).await;
    lazy.ping().await.unwrap();
}

#[tokio::test]
async fn a_lazy_first_use_makes_what_is_missing_and_costs_later_uses_nothing() {
    let Some(place) = place() else { return };
    let (place, faults) = place.behind_faults();
    let lazy = place.provider_with(lazy("made-by-the-first-use")).await;
    // Nothing is there yet, which is no reason to send the section no calls.
    lazy.ping().await.unwrap();
    eventually("the look for old uploads", async || {
        faults.take_requests().iter().any(|request| request.target.contains("uploads"))
    })
    .await;
    let entries = bucket(&*lazy).await;
    assert_eq!(faults.take_requests().len(), 0, "nothing before the first use");
    let values = futures_util::future::join_all((0..4).map(|_| entries.get("key"))).await;
    assert!(values.into_iter().all(|value| value.unwrap().is_none()));
    assert_eq!(faults.take_requests().len(), 2 + 4, "one look, and one creation");
    entries.set("key", "1".into()).await.unwrap();
    assert_eq!(faults.take_requests().len(), 1);
    lazy.ping().await.unwrap();

    // The other capability has its own bucket, and any call may be the first.
    assert!(!blobs(&*lazy).exists(&"container".into()).await.unwrap());
    container(&*lazy).await.write("object", text("1")).await.unwrap();
    lazy.ping().await.unwrap();
}

#[tokio::test]
async fn every_call_may_be_the_first_of_a_lazy_section() {
    let Some(place) = place() else { return };
    for number in 0..8 {
        let provider = place.provider_with(lazy(&format!("made-by-call-{number}"))).await;
        let (entries, store) = (bucket(&*provider).await, blobs(&*provider));
        match number {
            0 => entries.set("key", "1".into()).await.unwrap(),
            1 => entries.swap("key", None, "1".into()).await.unwrap(),
            2 => assert_eq!(entries.increment("key", 1).await.unwrap(), 1),
            3 => entries.delete_many(&["key".into()]).await.unwrap(),
            4 => assert!(entries.keys(None).await.unwrap().items.is_empty()),
            5 => assert!(!entries.exists("key").await.unwrap()),
            6 => drop(store.create(&"container".into()).await.unwrap()),
            _ => store.delete(&"container".into()).await.unwrap(),
        }
    }
}

#[tokio::test]
async fn a_lazy_section_that_may_make_nothing_looks_at_nothing() {
    let Some(place) = place() else { return };
    let (place, faults) = place.behind_faults();
    let mut settings = place.settings();
    merge(&mut settings, json!({ "connect": "lazy", "key-value": { "location": "nobody-made", "create": false } }));
    let provider = kind().connect(settings).await.unwrap();
    provider.prepare(Capability::KeyValue).await.unwrap();
    let error = bucket(&*provider).await.get("key").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert_eq!(faults.take_requests().len(), 1);
    assert_eq!(provider.ping().await.unwrap_err().kind(), ErrorKind::NotFound);
}

/// Settings of a section that looks at its S3 buckets with the first use, both of which begin with this.
fn lazy(buckets: &str) -> serde_json::Value {
    json!({
        "connect": "lazy",
        "key-value": { "location": format!("{buckets}-kv") },
        "blob": { "location": format!("{buckets}-blob") },
    })
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable_in_time() {
    let started = std::time::Instant::now();
    let port = free_port();
    let settings = json!({
        "endpoint": format!("http://127.0.0.1:{port}"),
        "access-key-id": "id",
        "secret-access-key": "hunter2",
    });
    let error = kind().connect(settings).await.unwrap().prepare(Capability::Blob).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    for part in [&*format!("127.0.0.1:{port}"), "slight-blob"] {
        assert!(error.message().contains(part) && !error.message().contains("hunter2"), "{error}");
    }
    assert!(started.elapsed().as_secs() < 10, "{:?}", started.elapsed());
}
