use std::{fs, path::Path};

use serde_json::json;
use slight_capabilities::ErrorKind;
use slight_provider_redis::kind;
use slight_services::{Server, free_port};

use crate::support::{bucket, provider, server};

/// A server with the certificate of a folder, and its port for TLS.
fn encrypted(folder: &Path, more: &[&str]) -> Option<(Server, u16)> {
    let path = |name: &str| folder.join(name).display().to_string();
    let (port, certificate, key) = (free_port(), path("ca.pem"), path("key.pem"));
    let port_text = port.to_string();
    let tls = ["--tls-port", &port_text, "--tls-cert-file", &certificate, "--tls-key-file", &key];
    Some((server(&[&tls[..], more].concat())?, port))
}

#[tokio::test]
async fn tls_takes_the_authority_it_is_told_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let certificate = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(path("ca.pem"), certificate.cert.pem()).unwrap();
    fs::write(path("key.pem"), certificate.signing_key.serialize_pem()).unwrap();
    fs::write(path("other.pem"), other.cert.pem()).unwrap();
    let Some((_server, port)) = encrypted(folder.path(), &["--tls-auth-clients", "no"]) else { return };

    let url = format!("rediss://localhost:{port}");
    let bucket = bucket(&*provider(json!({ "url": url, "ca-file": path("ca.pem") })).await).await;
    bucket.set("key", "value".into()).await.unwrap();
    assert!(bucket.exists("key").await.unwrap());
    for settings in [json!({ "url": url }), json!({ "url": url, "ca-file": path("other.pem") })] {
        let error = kind().connect(settings).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(error.message().contains("ca-file"), "{error}");
    }
    // Trusted, and for another name.
    let url = format!("rediss://127.0.0.1:{port}");
    let error = kind().connect(json!({ "url": url, "ca-file": path("ca.pem") })).await.err().unwrap();
    assert!(error.message().contains("not valid") && !error.message().contains("ca-file"), "{error}");
}

#[tokio::test]
async fn a_server_that_asks_for_a_certificate_of_the_client_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let certificate = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(path("ca.pem"), certificate.cert.pem()).unwrap();
    fs::write(path("key.pem"), certificate.signing_key.serialize_pem()).unwrap();
    let Some((_server, port)) = encrypted(folder.path(), &["--tls-ca-cert-file", &path("ca.pem")]) else { return };
    let settings = json!({ "url": format!("rediss://localhost:{port}"), "ca-file": path("ca.pem") });
    let error = kind().connect(settings).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.message().contains("tls-auth-clients"), "{error} {error:?}");
}
