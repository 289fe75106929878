use serde_json::{Value, json};
use slight_capabilities::{Capability, ErrorKind};
use slight_provider_azure::kind;

use crate::{
    raw,
    support::{azurite, provider},
};

#[test]
fn it_is_offered_for_all_capabilities() {
    assert_eq!(kind().capabilities, Capability::ALL);
}

fn merged(mut settings: Value, more: Value) -> Value {
    let Value::Object(more) = more else { unreachable!() };
    settings.as_object_mut().unwrap().extend(more);
    settings
}

#[tokio::test]
async fn settings_that_cannot_be_used_are_refused_without_showing_them() {
    let good = json!({ "account": "shop", "key": "aHVudGVyMg==" });
    let refused = [
        (json!({}), "say how to sign in"),
        (json!({ "key": "aHVudGVyMg==" }), "whose key"),
        (json!({ "sas": "sig=hunter2" }), "which account"),
        (json!({ "account": "shop", "key": "hunter2!" }), "base64"),
        (merged(good.clone(), json!({ "sas": "sig=hunter2" })), "three ways"),
        (merged(good.clone(), json!({ "identity": "managed" })), "three ways"),
        (json!({ "connection-string": "hunter2" }), "connection-string"),
        (merged(good.clone(), json!({ "blob-endpoint": "ftp://hunter2@host" })), "blob-endpoint"),
        (merged(good.clone(), json!({ "queue-endpoint": "hunter2" })), "queue-endpoint"),
        (merged(good.clone(), json!({ "key-value": { "location": "Slight_KV" } })), "key-value.location"),
        (merged(good.clone(), json!({ "blob": { "location": "a--b" } })), "blob.location"),
        (merged(good.clone(), json!({ "messaging": { "location": "m".repeat(21) } })), "messaging.location"),
        (merged(good.clone(), json!({ "timeout": "0s" })), "do not fit"),
        (merged(good, json!({ "no-such-setting": "hunter2" })), "do not fit"),
        (json!({ "account": "shop", "identity": "workload" }), "identity"),
        (json!({ "account": "shop", "identity": "managed", "blob-endpoint": "http://127.0.0.1:1/shop" }), "https"),
    ];
    for (settings, named) in refused {
        let error = kind().connect(settings).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        assert!(error.message().contains(named) && !error.message().contains("hunter2"), "{named}: {error}");
    }
}

#[tokio::test]
async fn an_account_its_key_and_its_endpoints_are_as_good_as_a_connection_string() {
    let Some(string) = azurite() else { return };
    let part = |name| raw::part(&string, name);
    let settings = json!({
        "account": part("AccountName"),
        "key": part("AccountKey"),
        "blob-endpoint": part("BlobEndpoint"),
        "queue-endpoint": part("QueueEndpoint"),
    });
    provider(settings).await.ping().await.unwrap();
}

#[tokio::test]
async fn blobs_alone_need_no_queues() {
    let Some(string) = azurite() else { return };
    let key =
        format!("AccountName={};AccountKey={}", raw::part(&string, "AccountName"), raw::part(&string, "AccountKey"));
    let signature = raw::signature(&string, "rwdlacup", "2099-01-01");
    for sign_in in [key, format!("SharedAccessSignature={signature}")] {
        let string = format!("{sign_in};BlobEndpoint={}", raw::part(&string, "BlobEndpoint"));
        let provider = kind().connect(json!({ "connection-string": string })).await.unwrap();
        provider.prepare(Capability::KeyValue).await.unwrap();
        provider.prepare(Capability::Blob).await.unwrap();
    }
}
