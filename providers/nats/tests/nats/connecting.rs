use std::{net::TcpListener, time::Instant};

use serde_json::json;
use slight_capabilities::{Capability, ErrorKind};
use slight_provider_nats::kind;
use slight_services::free_port;

use crate::support::{bucket, provider, server};

#[tokio::test]
async fn an_eager_connection_that_fails_names_the_server_and_no_password() {
    let url = format!("nats://user:hunter2@127.0.0.1:{}", free_port());
    let error = kind().connect(json!({ "url": url })).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.message().contains("127.0.0.1:") && !error.message().contains("hunter2"), "{error}");
}

#[tokio::test]
async fn a_server_that_accepts_and_says_nothing_is_unavailable_in_time() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("nats://{}", silent.local_addr().unwrap());
    for connect in ["eager", "lazy"] {
        let started = Instant::now();
        let error = match kind().connect(json!({ "url": url, "connect": connect })).await {
            Ok(lazy) => lazy.ping().await.unwrap_err(),
            Err(error) => error,
        };
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(started.elapsed().as_secs() < 10, "{:?}", started.elapsed());
    }
}

#[tokio::test]
async fn a_lazy_connection_is_made_when_the_server_is_there() {
    let Some(mut server) = server(&[]) else { return };
    server.stop();
    let provider = provider(json!({ "url": server.url(), "connect": "lazy" })).await;
    for capability in Capability::ALL {
        provider.prepare(capability).await.unwrap();
    }
    let opened = provider.key_value().unwrap().open(&"bucket".into()).await;
    assert_eq!(opened.err().unwrap().kind(), ErrorKind::Unavailable);
    assert_eq!(provider.ping().await.unwrap_err().kind(), ErrorKind::Unavailable);
    server.restart();
    // The first call after the outage, not the second.
    bucket(&*provider).await.set("key", "value".into()).await.unwrap();
}

#[tokio::test]
async fn of_several_servers_one_that_is_there_is_enough() {
    let Some(server) = server(&[]) else { return };
    let url = format!("nats://127.0.0.1:{},{}", free_port(), server.url());
    provider(json!({ "url": url })).await.ping().await.unwrap();
}

#[tokio::test]
async fn a_server_without_jetstream_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("accounts.conf").display().to_string();
    // An account without JetStream on a server that has it.
    let accounts = "accounts {
        PLAIN { users = [ { user: plain, password: plain } ] }
        JS { jetstream: enabled, users = [ { user: js, password: js } ] }
    }";
    std::fs::write(&config, accounts).unwrap();
    let Some(server) = server(&["--config", &config]) else { return };
    let plain = provider(json!({ "url": server.url(), "username": "plain", "password": "plain" })).await;
    let error = plain.prepare(Capability::KeyValue).await.unwrap_err();
    assert!(error.message().contains("JetStream"), "{error}");
    let js = provider(json!({ "url": server.url(), "username": "js", "password": "js" })).await;
    js.prepare(Capability::KeyValue).await.unwrap();
}
