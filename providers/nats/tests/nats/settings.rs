use std::path::Path;

use serde_json::json;
use slight_capabilities::{Capability, ErrorKind};
use slight_provider_nats::kind;

fn page() -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/providers/nats.md");
    std::fs::read_to_string(page).unwrap()
}

#[test]
fn the_page_has_the_table_of_the_settings() {
    let table = slight_config::settings_table(kind().schema.as_value());
    assert!(page().contains(&table), "docs/providers/nats.md should have this table:\n{table}");
}

#[test]
fn the_file_on_the_page_is_a_good_one() {
    let page = page();
    let (_, file) = page.split_once("```toml\n").unwrap();
    let (file, _) = file.split_once("```").unwrap();
    let source = slight_config::Source {
        name: "nats.md",
        text: file,
        dir: Path::new("."),
        env: &|_| Err(std::env::VarError::NotPresent),
    };
    slight_config::Config::parse(&source, &[kind()]).unwrap();
}

#[test]
fn it_is_offered_for_everything() {
    assert_eq!(kind().capabilities, Capability::ALL);
}

#[tokio::test]
async fn settings_that_cannot_be_used_are_refused_without_showing_them() {
    let url = "nats://127.0.0.1";
    let refused = [
        (json!({ "url": "http://hunter2@127.0.0.1" }), "nats://host:4222"),
        (json!({ "url": "" }), "nats://host:4222"),
        (json!({ "url": "nats://127.0.0.1,ws://hunter2@127.0.0.1" }), "nats://host:4222"),
        (json!({ "url": url, "key-value": { "location": "a.b" } }), "key-value.location"),
        (json!({ "url": url, "messaging": { "location": "" } }), "messaging.location"),
        (json!({ "url": url, "blob": { "location": "a_b" } }), "blob.location"),
        (json!({ "url": url, "key-value": { "replicas": 0 } }), "key-value.replicas"),
        (json!({ "url": url, "blob": { "replicas": 6 } }), "blob.replicas"),
        (json!({ "url": url, "messaging": { "max-bytes": 0 } }), "messaging.max-bytes"),
        (json!({ "url": url, "messaging": { "max-age-seconds": 0 } }), "max-age-seconds"),
        (json!({ "url": url, "username": "me" }), "password"),
        (json!({ "url": url, "token": "hunter2", "nkey": "hunter2" }), "token and nkey"),
        (json!({ "url": url, "ca-file": "no/such/file.pem" }), "no/such/file.pem"),
        (json!({ "url": url, "certificate-file": "c.pem" }), "key-file"),
        (json!({ "url": url, "credentials-file": "no/such/file.creds" }), "no/such/file.creds"),
        (json!({ "url": url, "credentials-file": file!() }), "credentials-file"),
        (json!({ "url": url, "no-such-setting": "hunter2" }), "do not fit"),
    ];
    for (settings, named) in refused {
        let error = kind().connect(settings).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        assert!(error.message().contains(named) && !error.message().contains("hunter2"), "{error}");
    }
}
