use std::{fs, path::Path};

use serde_json::json;
use slight_capabilities::{Capability, ErrorKind};
use slight_provider_nats::kind;
use slight_services::Server;

use crate::support::{bucket, provider, server};

/// Writes a certificate that is its own authority, and its key.
fn certificate(folder: &Path, name: &str) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(folder.join(format!("{name}.pem")), made.cert.pem()).unwrap();
    fs::write(folder.join(format!("{name}.key")), made.signing_key.serialize_pem()).unwrap();
}

/// A server with TLS. It takes connections without as well, since it is watched over one.
fn encrypted(folder: &Path, more: &str) -> Option<Server> {
    let path = |name: &str| folder.join(name).display().to_string();
    let config = format!(
        "allow_non_tls: true\ntls {{ cert_file: {:?}, key_file: {:?}, timeout: 5 {more} }}\n",
        path("server.pem"),
        path("server.key")
    );
    fs::write(path("tls.conf"), config).unwrap();
    server(&["--config", &path("tls.conf")])
}

#[tokio::test]
async fn tls_takes_the_authority_it_is_told_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    certificate(folder.path(), "server");
    certificate(folder.path(), "other");
    let Some(server) = encrypted(folder.path(), "") else { return };
    for scheme in ["tls", "nats"] {
        let url = format!("{scheme}://localhost:{}", server.port());
        let bucket = bucket(&*provider(json!({ "url": url, "ca-file": path("server.pem") })).await).await;
        bucket.set("key", "value".into()).await.unwrap();
        assert!(bucket.exists("key").await.unwrap());
        let error = kind().connect(json!({ "url": url, "ca-file": path("other.pem") })).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(error.message().contains("not trusted") && error.message().contains("\"ca-file\""), "{error}");
    }
    let url = format!("tls://localhost:{}", server.port());
    let error = kind().connect(json!({ "url": url })).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.message().contains("not trusted") && error.message().contains("\"ca-file\""), "{error}");
    // Trusted, and for another name.
    let url = format!("tls://127.0.0.1:{}", server.port());
    let error = kind().connect(json!({ "url": url, "ca-file": path("server.pem") })).await.err().unwrap();
    assert!(error.message().contains("not valid") && !error.message().contains("ca-file"), "{error}");
}

#[tokio::test]
async fn a_certificate_of_the_client_is_asked_for_and_shown() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    for name in ["server", "client", "stranger"] {
        certificate(folder.path(), name);
    }
    let verify = format!(", verify: true, ca_file: {:?}", path("client.pem"));
    let Some(server) = encrypted(folder.path(), &verify) else { return };
    let shows = |name: &str| {
        json!({
            "url": format!("tls://localhost:{}", server.port()), "ca-file": path("server.pem"),
            "certificate-file": path(&format!("{name}.pem")), "key-file": path(&format!("{name}.key")),
        })
    };
    provider(shows("client")).await.prepare(Capability::KeyValue).await.unwrap();
    let none = json!({ "url": format!("tls://localhost:{}", server.port()), "ca-file": path("server.pem") });
    for (settings, said) in [(none, "asks for a certificate"), (shows("stranger"), "does not accept the certificate")] {
        let error = kind().connect(settings).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(
            error.message().contains(said) && error.message().contains("\"certificate-file\""),
            "{error} {error:?}"
        );
    }
}

#[tokio::test]
async fn files_without_what_they_are_for_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    certificate(folder.path(), "good");
    let (good, key) = (path("good.pem"), path("good.key"));
    for (settings, said) in [
        (json!({ "ca-file": key }), "ca-file"),
        (json!({ "certificate-file": key, "key-file": key }), "certificate-file"),
        (json!({ "certificate-file": good, "key-file": good }), "key-file"),
    ] {
        let mut settings = settings;
        settings["url"] = "tls://127.0.0.1".into();
        let error = kind().connect(settings).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        assert!(error.message().contains(&format!("the {said} ")) && error.message().contains("holds no"), "{error}");
    }
}
