use std::{fs, path::Path};

use serde_json::json;
use slight_capabilities::{Capability, ErrorKind};
use slight_provider_s3::kind;
use slight_services::{SEAWEEDFS, Server, free_port, present};

use crate::support::{bucket, merge, place, place_on, value};

#[tokio::test]
async fn an_encrypted_connection_needs_a_trusted_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    for name in ["server", "stranger"] {
        make_certificate(folder.path(), name);
    }
    let port = free_port();
    let certificate = format!("-s3.cert.file={}", path("server.crt"));
    let key = format!("-s3.key.file={}", path("server.key"));
    let encrypted = [&*certificate, &*key, &*format!("-s3.port.https={port}")];
    let Some(server) = present(Server::start(&SEAWEEDFS, &encrypted)) else { return };
    let place = place_on(&server);
    let endpoint = format!("https://127.0.0.1:{port}");

    let trusting = json!({ "endpoint": endpoint, "ca-file": path("server.crt") });
    let entries = bucket(&*place.provider_with(trusting).await).await;
    entries.set("key", "value".into()).await.unwrap();
    assert_eq!(value(&*entries, "key").await.as_deref(), Some("value"));

    for more in [json!({ "endpoint": endpoint, "ca-file": path("stranger.crt") }), json!({ "endpoint": endpoint })] {
        let mut settings = place.settings();
        merge(&mut settings, more);
        let provider = kind().connect(settings).await.unwrap();
        let error = provider.prepare(Capability::KeyValue).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(error.message().contains("certificate") && error.message().contains("ca-file"), "{error}");
    }
}

#[tokio::test]
async fn an_endpoint_that_does_not_speak_tls_is_said_to_be_one_perhaps() {
    let Some(place) = place() else { return };
    // The one answers in plain text, the other waits for the end of a line.
    let (waiting, _faults) = place.clone().behind_faults();
    for place in [place, waiting] {
        let mut settings = place.settings();
        settings["endpoint"] = format!("https://{}", place.address()).into();
        let provider = kind().connect(settings).await.unwrap();
        let error = provider.prepare(Capability::KeyValue).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        for part in [&*place.address(), "slight-tests", "http:// instead of https://"] {
            assert!(error.message().contains(part), "{error}");
        }
    }
}

fn make_certificate(folder: &Path, name: &str) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    fs::write(folder.join(name).with_extension("crt"), made.cert.pem()).unwrap();
    fs::write(folder.join(name).with_extension("key"), made.signing_key.serialize_pem()).unwrap();
}
