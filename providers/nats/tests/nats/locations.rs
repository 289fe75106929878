use async_nats::jetstream::stream;
use serde_json::{Value, json};
use slight_capabilities::{Capability, ErrorKind, Readiness};

use crate::support::{bucket, connect, member, message, messaging, nats, provider, server, shared};

/// Why a section with these settings is not ready.
async fn refusal(url: &str, capability: Capability, mut settings: Value) -> slight_capabilities::Error {
    settings["url"] = url.into();
    let provider = provider(settings).await;
    let error = provider.prepare(capability).await.unwrap_err();
    match provider.inspect(capability).await {
        Err(inspected) => assert_eq!(inspected.message(), error.message()),
        // Only the server knows what it will refuse to make.
        found => assert!(matches!(found, Ok(Readiness::ToBeCreated(_))), "{found:?}"),
    }
    error
}

#[tokio::test]
async fn a_stream_that_differs_is_refused_by_its_difference() {
    let Some(url) = shared() else { return };
    let at = |location: &str, more: Value| {
        let mut settings = json!({ "location": location });
        settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        settings
    };
    for (section, capability) in [("key-value", Capability::KeyValue), ("messaging", Capability::Messaging)] {
        let location = format!("differs-{section}");
        let first = provider(json!({ "url": url, section: at(&location, json!({})) })).await;
        first.prepare(capability).await.unwrap();
        // The same again is no difference.
        provider(json!({ "url": url, section: at(&location, json!({})) })).await.prepare(capability).await.unwrap();
        let memory = refusal(&url, capability, json!({ section: at(&location, json!({ "storage": "memory" })) })).await;
        assert_eq!(memory.kind(), ErrorKind::Invalid);
        for named in [&*location, &format!("[{section}]"), "storage", "\"file\"", "\"memory\""] {
            assert!(memory.message().contains(named), "{memory}");
        }
        let full = refusal(&url, capability, json!({ section: at(&location, json!({ "max-bytes": 1000 })) })).await;
        assert!(full.message().contains("max_bytes is unset instead of 1000"), "{full}");
    }
}

#[tokio::test]
async fn a_bucket_that_another_client_has_made_otherwise_is_refused() {
    let Some(url) = shared() else { return };
    let config = async_nats::jetstream::kv::Config { bucket: "by-others".into(), history: 5, ..Default::default() };
    nats(&url).await.create_key_value(config).await.unwrap();
    let error = refusal(&url, Capability::KeyValue, json!({ "key-value": { "location": "by-others" } })).await;
    assert!(error.message().contains("max_msgs_per_subject is 5 instead of 1"), "{error}");
    assert!(error.message().contains("allow_direct is true"), "{error}");
}

#[tokio::test]
async fn a_missing_location_is_named_where_it_is_not_to_be_made() {
    let Some(url) = shared() else { return };
    for (section, capability) in [("key-value", Capability::KeyValue), ("messaging", Capability::Messaging)] {
        let settings = json!({ section: { "location": "never-made", "create": false } });
        let error = refusal(&url, capability, settings).await;
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.message().contains("never-made") && error.message().contains("create"), "{error}");
    }
}

#[tokio::test]
async fn inspecting_says_what_would_be_made_and_makes_nothing() {
    let Some(url) = shared() else { return };
    for (section, capability) in [("key-value", Capability::KeyValue), ("messaging", Capability::Messaging)] {
        let location = format!("inspected-{section}");
        let provider = provider(json!({ "url": url, section: { "location": location } })).await;
        for _ in 0..2 {
            let Readiness::ToBeCreated(what) = provider.inspect(capability).await.unwrap() else {
                panic!("{location} is there")
            };
            assert!(what.contains(&location), "{what}");
        }
        provider.prepare(capability).await.unwrap();
        assert_eq!(provider.inspect(capability).await.unwrap(), Readiness::Ready);
    }
    let provider = provider(json!({ "url": url })).await;
    assert_eq!(provider.inspect(Capability::Blob).await.unwrap(), Readiness::Ready);
}

#[tokio::test]
async fn settings_become_those_of_the_stream() {
    let Some(url) = shared() else { return };
    let settings = json!({
        "location": "all-settings", "storage": "memory", "max-bytes": 1_000_000, "max-age-seconds": 3600,
    });
    let provider = provider(json!({ "url": url, "messaging": settings })).await;
    provider.prepare(Capability::Messaging).await.unwrap();
    let mut stream = nats(&url).await.get_stream("all-settings").await.unwrap();
    let config = &stream.info().await.unwrap().config;
    assert_eq!(config.storage, stream::StorageType::Memory);
    assert_eq!(config.max_bytes, 1_000_000);
    assert_eq!(config.max_age.as_secs(), 3600);
    assert_eq!(config.retention, stream::RetentionPolicy::Interest);
    assert_eq!(config.discard, stream::DiscardPolicy::New);
}

#[tokio::test]
async fn a_full_location_refuses_what_does_not_fit() {
    let Some(url) = shared() else { return };
    let provider = provider(json!({ "url": url, "key-value": { "location": "full", "max-bytes": 10_000 } })).await;
    let bucket = bucket(&*provider).await;
    bucket.set("key", vec![0; 5000].into()).await.unwrap();
    let error = bucket.set("other", vec![0; 9000].into()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.message().contains("max-bytes"), "{error}");
    assert_eq!(bucket.get("key").await.unwrap().unwrap().value.len(), 5000);
}

#[tokio::test]
async fn more_replicas_than_servers_are_refused() {
    let Some(url) = shared() else { return };
    let settings = json!({ "messaging": { "location": "replicas", "replicas": 3 } });
    let error = refusal(&url, Capability::Messaging, settings).await;
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.message().contains("replicas"), "{error}");
}

#[tokio::test]
async fn what_a_group_needs_of_its_consumer_is_set_back() {
    let Some(url) = shared() else { return };
    let provider = provider(json!({ "url": url, "messaging": { "location": "consumers" } })).await;
    let messaging = messaging(&*provider);
    messaging.create_group(&"topic".into(), "group").await.unwrap();
    let stream = nats(&url).await.get_stream("consumers").await.unwrap();
    let name = futures_util::StreamExt::next(&mut stream.consumer_names()).await.unwrap().unwrap();
    assert!(name.starts_with("group-"), "{name}");
    let mut config = stream.consumer_info(&name).await.unwrap().config;
    assert_eq!(config.metadata["slight-group"], "group");
    config.ack_wait = std::time::Duration::from_secs(7);
    let config = async_nats::jetstream::consumer::pull::Config {
        durable_name: config.durable_name,
        filter_subject: config.filter_subject,
        ack_wait: config.ack_wait,
        deliver_policy: config.deliver_policy,
        max_ack_pending: config.max_ack_pending,
        max_waiting: config.max_waiting,
        metadata: config.metadata,
        ..Default::default()
    };
    stream.create_consumer(config).await.unwrap();
    messaging.create_group(&"topic".into(), "group").await.unwrap();
    assert_eq!(stream.consumer_info(&name).await.unwrap().config.ack_wait.as_secs(), 30);
    // One that gives its messages to a subject cannot be changed so.
    stream.delete_consumer(&name).await.unwrap();
    let push = async_nats::jetstream::consumer::push::Config {
        durable_name: Some(name.clone()),
        deliver_subject: "somewhere".into(),
        ..Default::default()
    };
    stream.create_consumer(push).await.unwrap();
    let error = messaging.create_group(&"topic".into(), "group").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.message().contains(&name) && error.message().contains("ack-wait"), "{error}");
}

#[tokio::test]
async fn what_is_kept_in_memory_is_made_again_after_a_restart() {
    let Some(mut server) = server(&[]) else { return };
    let memory = json!({ "storage": "memory" });
    let provider = provider(json!({ "url": server.url(), "key-value": memory, "messaging": memory })).await;
    bucket(&*provider).await.set("key", "1".into()).await.unwrap();
    let messaging = messaging(&*provider);
    messaging.publish(&"topic".into(), message("1")).await.unwrap();
    server.stop();
    server.restart();
    bucket(&*provider).await.set("key", "3".into()).await.unwrap();
    messaging.publish(&"topic".into(), message("2")).await.unwrap();
    let mut member = member(&*messaging, &["topic"], 1, std::time::Duration::from_secs(30)).await;
    messaging.publish(&"topic".into(), message("3")).await.unwrap();
    assert_eq!(crate::support::text_of(&*crate::support::next(&mut member).await), "3");
}

#[tokio::test]
async fn locations_are_apart_on_one_server() {
    let Some(server) = server(&[]) else { return };
    let one = connect(&server.url()).await;
    let other = provider(json!({ "url": server.url(), "key-value": { "location": "elsewhere" } })).await;
    bucket(&*one).await.set("key", "1".into()).await.unwrap();
    assert!(!bucket(&*other).await.exists("key").await.unwrap());
    assert!(bucket(&*connect(&server.url()).await).await.exists("key").await.unwrap());
}
