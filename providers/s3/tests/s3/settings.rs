use std::path::Path;

use serde_json::json;
use slight_capabilities::{Capability, ErrorKind};
use slight_provider_s3::kind;

#[test]
fn the_files_on_the_page_are_good_ones() {
    let page = include_str!("../../../../docs/providers/s3.md");
    let files: Vec<_> = page.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert_eq!(files.len(), 2, "one for Amazon's S3, one for others");
    for file in files {
        let (name, dir) = ("s3.md", Path::new("."));
        let source = slight_config::Source { name, text: file, dir, env: &|name| Ok(format!("the value of {name}")) };
        slight_config::Config::parse(&source, &[kind()]).unwrap();
    }
}

#[test]
fn it_is_offered_for_key_value_and_blob() {
    assert_eq!(kind().capabilities, [Capability::KeyValue, Capability::Blob]);
}

#[tokio::test]
async fn settings_that_cannot_be_used_are_refused_without_showing_them() {
    let refused = [
        (json!({ "endpoint": "http://user:hunter2@127.0.0.1" }), "endpoint"),
        (json!({ "endpoint": "hunter2" }), "endpoint"),
        (json!({ "key-value": { "location": "a b" } }), "key-value.location"),
        (json!({ "blob": { "location": "" } }), "blob.location"),
        (json!({ "key-value": { "location": "one" }, "blob": { "location": "one/objects" } }), "overlap"),
        (json!({ "secret-access-key": "hunter2" }), "access-key-id"),
        (json!({ "session-token": "hunter2" }), "session-token"),
        (json!({ "access-key-id": "a", "secret-access-key": "hunter2", "profile": "b" }), "profile"),
        (json!({ "blob": { "part-size": "1MiB" } }), "part-size"),
        (json!({ "region": "eu-west-1", "ca-file": "no/such/file.pem" }), "no/such/file.pem"),
        (json!({ "region": "eu-west-1", "ca-file": "Cargo.toml" }), "Cargo.toml"),
        (json!({ "no-such-setting": "hunter2" }), "do not fit"),
    ];
    for (settings, named) in refused {
        let error = kind().connect(settings).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        assert!(error.message().contains(named) && !error.message().contains("hunter2"), "{error}");
    }
}
