use serde_json::json;
use slight_capabilities::{Capability, ErrorKind};
use slight_provider_redis::kind;

#[test]
fn it_is_offered_for_key_value_and_messaging() {
    assert_eq!(kind().capabilities, [Capability::KeyValue, Capability::Messaging]);
}

#[tokio::test]
async fn settings_that_cannot_be_used_are_refused_without_showing_them() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("hunter.pem");
    std::fs::write(&key, rcgen::KeyPair::generate().unwrap().serialize_pem()).unwrap();
    let refused = [
        (json!({ "url": "rediss://127.0.0.1", "ca-file": key }), "holds no certificate"),
        (json!({ "url": "http://hunter2@127.0.0.1" }), "redis://host:port/database"),
        (json!({ "url": "redis://:hunter2@x/word@127.0.0.1:6379" }), "%2F"),
        (json!({ "url": "redis://127.0.0.1", "key-value": { "location": "a:b" } }), "key-value.location"),
        (json!({ "url": "redis://127.0.0.1", "messaging": { "location": "" } }), "messaging.location"),
        (json!({ "url": "redis://127.0.0.1", "messaging": { "max-length": 0 } }), "max-length"),
        (json!({ "url": "redis://127.0.0.1", "ca-file": "ca.pem" }), "rediss://"),
        (json!({ "url": "rediss://127.0.0.1", "ca-file": "no/such/file.pem" }), "no/such/file.pem"),
        (json!({ "url": "redis://127.0.0.1", "no-such-setting": "hunter2" }), "do not fit"),
    ];
    for (settings, named) in refused {
        let error = kind().connect(settings).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        assert!(error.message().contains(named) && !error.message().contains("hunter2"), "{error}");
    }
}
