use std::error::Error as _;

use serde_json::json;
use slight_capabilities::{Capability, Error, ErrorKind, Readiness};
use slight_provider_azure::kind;
use slight_services::free_port;

use crate::{
    raw,
    support::{Network, azurite, bucket, container, message, messaging, provider, unique, write},
};

/// The message and all that the log would have of it.
fn told(error: &Error) -> String {
    let source = error.source().map(ToString::to_string);
    format!("{error} {error:?} {}", source.unwrap_or_default())
}

#[tokio::test]
async fn a_wrong_key_is_told_and_not_shown() {
    let Some(string) = azurite() else { return };
    let (key, wrong) = (raw::part(&string, "AccountKey"), "aHVudGVyMg==");
    let provider = kind().connect(json!({ "connection-string": string.replace(key, wrong) })).await.unwrap();
    for capability in Capability::ALL {
        let error = provider.prepare(capability).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
        assert!(error.message().contains("the key or the signature is wrong"), "{error}");
        assert!(!told(&error).contains(wrong), "{}", told(&error));
        let said = error.source().unwrap().to_string();
        assert!(said.starts_with("403 AuthorizationFailure: Server failed to authenticate the request."), "{said}");
        assert!(!said.contains(['\n', '<']), "{said}");
    }
    assert_eq!(provider.ping().await.unwrap_err().kind(), ErrorKind::Denied);
}

#[tokio::test]
async fn a_signature_is_good_for_everything() {
    let Some(string) = azurite() else { return };
    let signature = raw::signature(&string, "rwdlacup", "2099-01-01");
    let (blobs, queues) = (raw::part(&string, "BlobEndpoint"), raw::part(&string, "QueueEndpoint"));
    for signature in [signature.clone(), format!("?{signature}")] {
        let settings = json!({ "sas": signature, "blob-endpoint": blobs, "queue-endpoint": queues });
        let provider = provider(settings).await;
        let bucket = bucket(&*provider).await;
        bucket.set("key with %2B", "1".into()).await.unwrap();
        assert_eq!(bucket.increment("key with %2B", 1).await.unwrap(), 2);
        assert_eq!(bucket.keys(None).await.unwrap().items, ["key with %2B"]);
        write(&*container(&*provider).await, "object", &crate::support::pattern(5 * crate::support::MIB)).await;
        let topic = unique("topic");
        let messaging = messaging(&*provider);
        messaging.create_group(&topic, "group").await.unwrap();
        messaging.publish(&topic, message("message")).await.unwrap();
        messaging.delete_group(&topic, "group").await.unwrap();
    }
}

#[tokio::test]
async fn a_signature_that_has_expired_or_allows_less_is_told_and_not_shown() {
    let Some(string) = azurite() else { return };
    let (blobs, queues) = (raw::part(&string, "BlobEndpoint"), raw::part(&string, "QueueEndpoint"));
    let settings = |signature: &str| json!({ "sas": signature, "blob-endpoint": blobs, "queue-endpoint": queues });
    let expired = raw::signature(&string, "rwdlacup", "2020-01-01");
    let secret = expired.rsplit('=').next().unwrap().to_owned();
    let provider = kind().connect(settings(&expired)).await.unwrap();
    let error = provider.prepare(Capability::KeyValue).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    assert!(!told(&error).contains(&secret), "{}", told(&error));

    let reading = raw::signature(&string, "rl", "2099-01-01");
    let provider = kind().connect(settings(&reading)).await.unwrap();
    let bucket = bucket(&*provider).await;
    assert!(bucket.get("key").await.unwrap().is_none());
    let error = bucket.set("key", "1".into()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
}

#[tokio::test]
async fn a_signature_is_in_no_error_of_the_network() {
    let Some(string) = azurite() else { return };
    let signature = raw::signature(&string, "rwdlacup", "2099-01-01");
    let secret = signature.rsplit('=').next().unwrap().to_owned();
    let nobody = format!("http://127.0.0.1:{}/account", free_port());
    let provider = kind().connect(json!({ "sas": signature, "blob-endpoint": nobody })).await.unwrap();
    let error = provider.prepare(Capability::Blob).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(told(&error).contains("127.0.0.1") && !told(&error).contains(&secret), "{}", told(&error));
}

#[tokio::test]
async fn a_missing_container_is_named_where_it_is_not_to_be_made() {
    let Some(string) = azurite() else { return };
    let none = |capability: Capability| json!({ "location": format!("no-{capability}"), "create": false });
    let mut settings = json!({ "connection-string": string });
    for capability in Capability::ALL {
        settings[capability.name()] = none(capability);
    }
    let provider = kind().connect(settings).await.unwrap();
    for capability in Capability::ALL {
        let error = provider.prepare(capability).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.message().contains(&format!("\"no-{capability}\"")), "{error}");
        assert_eq!(provider.inspect(capability).await.unwrap_err().message(), error.message());
    }
}

#[tokio::test]
async fn inspecting_says_what_would_be_made_and_makes_nothing() {
    let Some(string) = azurite() else { return };
    for capability in Capability::ALL {
        let location = format!("inspected-{capability}");
        let mut settings = json!({ "connection-string": string });
        settings[capability.name()] = json!({ "location": location });
        let provider = kind().connect(settings).await.unwrap();
        for _ in 0..2 {
            let missing = Readiness::ToBeCreated(format!("the container {location}"));
            assert_eq!(provider.inspect(capability).await.unwrap(), missing);
        }
        provider.prepare(capability).await.unwrap();
        assert_eq!(provider.inspect(capability).await.unwrap(), Readiness::Ready);
    }
}

#[tokio::test]
async fn a_container_that_goes_away_and_is_not_to_be_made_is_missed() {
    let Some(string) = azurite() else { return };
    let location = format!("going-{}", raw::part(&string, "BlobEndpoint").len());
    let settings = json!({ "connection-string": string, "key-value": { "location": location, "create": false } });
    let container = raw::blobs(&string).blob_container_client(&location);
    container.create(None).await.unwrap();
    let provider = kind().connect(settings).await.unwrap();
    provider.prepare(Capability::KeyValue).await.unwrap();
    let bucket = bucket(&*provider).await;
    container.delete(None).await.unwrap();
    for error in [
        bucket.get("key").await.unwrap_err(),
        bucket.set("key", "1".into()).await.unwrap_err(),
        bucket.swap("key", None, "1".into()).await.unwrap_err(),
        bucket.increment("key", 1).await.unwrap_err(),
        bucket.delete("key").await.unwrap_err(),
        bucket.keys(None).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        assert!(error.message().contains(&location), "{error}");
    }
}

#[tokio::test]
async fn a_lazy_section_asks_for_nothing_until_it_is_used() {
    let Some(network) = Network::new() else { return };
    let location = json!({ "location": "lazily-made" });
    let settings = json!({ "connection-string": network.string, "connect": "lazy", "key-value": location });
    let provider = provider(settings).await;
    assert_eq!(network.blobs.take_requests(), []);
    bucket(&*provider).await.set("key", "1".into()).await.unwrap();
}
