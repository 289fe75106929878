use std::fs;

use serde_json::json;
use slight_capabilities::ErrorKind;
use slight_provider_redis::kind;
use slight_services::{REDIS, Server, free_port, present};

use crate::support::{bucket, provider};

#[tokio::test]
async fn tls_takes_the_authority_it_is_told_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let certificate = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(path("ca.pem"), certificate.cert.pem()).unwrap();
    fs::write(path("key.pem"), certificate.signing_key.serialize_pem()).unwrap();
    fs::write(path("other.pem"), other.cert.pem()).unwrap();
    let port = free_port();
    let arguments = [
        "--tls-port".to_owned(),
        port.to_string(),
        "--tls-cert-file".to_owned(),
        path("ca.pem"),
        "--tls-key-file".to_owned(),
        path("key.pem"),
        "--tls-auth-clients".to_owned(),
        "no".to_owned(),
    ];
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let Some(_server) = present(Server::start(&REDIS, &arguments)) else { return };

    let url = format!("rediss://localhost:{port}");
    let bucket = bucket(&*provider(json!({ "url": url, "ca-file": path("ca.pem") })).await).await;
    bucket.set("key", "value".into()).await.unwrap();
    assert!(bucket.exists("key").await.unwrap());
    for settings in [json!({ "url": url }), json!({ "url": url, "ca-file": path("other.pem") })] {
        let error = kind().connect(settings).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(error.message().contains("ca-file"), "{error}");
    }
}
