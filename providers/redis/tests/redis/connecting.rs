use std::{error::Error as _, net::TcpListener, time::Instant};

use futures_util::StreamExt;
use serde_json::json;
use slight_capabilities::{Capability, Error, ErrorKind};
use slight_provider_redis::kind;
use slight_services::{DEADLINE, NATS, free_port, present, shared_url};

use crate::support::{bucket, connect, eventually, provider, server};

#[tokio::test]
async fn an_eager_connection_that_fails_names_the_server_and_no_password() {
    let url = format!("redis://user:hunter2@127.0.0.1:{}", free_port());
    let error = kind().connect(json!({ "url": url })).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.message().contains("127.0.0.1:") && !error.message().contains("hunter2"), "{error}");
}

#[tokio::test]
async fn a_server_that_accepts_and_says_nothing_is_unavailable_in_time() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}", silent.local_addr().unwrap());
    let started = Instant::now();
    let error = kind().connect(json!({ "url": url })).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(started.elapsed().as_secs() < 10, "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_lazy_connection_is_made_when_the_server_is_there() {
    let Some(mut server) = server(&[]) else { return };
    server.stop();
    let provider = provider(json!({ "url": server.url(), "connect": "lazy" })).await;
    for capability in [Capability::KeyValue, Capability::Messaging] {
        provider.prepare(capability).await.unwrap();
    }
    let bucket = bucket(&*provider).await;
    assert_eq!(bucket.get("key").await.unwrap_err().kind(), ErrorKind::Unavailable);
    server.restart();
    // The first call after the outage, not the second.
    bucket.set("key", "value".into()).await.unwrap();
}

#[tokio::test]
async fn a_password_is_asked_for_and_given() {
    let Some(server) = server(&["--requirepass", "hunter2"]) else { return };
    for (settings, said) in [
        (json!({ "url": server.url() }), "asks for a password"),
        (json!({ "url": server.url(), "password": "wrong" }), "refused the user name or the password"),
    ] {
        let error = kind().connect(settings).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
        assert!(error.message().contains(said), "{error}");
        is_plainly_said(&error);
    }
    let port = server.port();
    for settings in [
        json!({ "url": server.url(), "password": "hunter2" }),
        json!({ "url": server.url(), "username": "default", "password": "hunter2" }),
        json!({ "url": format!("redis://:hunter2@127.0.0.1:{port}") }),
    ] {
        provider(settings).await.ping().await.unwrap();
    }
}

/// No cause shows how a library names its types.
fn is_plainly_said(error: &Error) {
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        for foreign in ["ResponseError", "Server(", " - ", "\"NOAUTH\"", "\"WRONGPASS\""] {
            assert!(!said.contains(foreign), "{said}");
        }
        cause = error.source();
    }
}

#[tokio::test]
async fn a_database_that_is_not_there_is_told() {
    let Some(server) = server(&[]) else { return };
    let error = kind().connect(json!({ "url": format!("{}/99", server.url()) })).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    assert!(error.message().contains("no database of this number"), "{error}");
    is_plainly_said(&error);
}

#[tokio::test]
async fn tls_at_a_port_without_is_told() {
    let Some(server) = server(&[]) else { return };
    let url = format!("rediss://127.0.0.1:{}", server.port());
    let error = kind().connect(json!({ "url": url })).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.message().contains("without TLS") && error.message().contains("redis://"), "{error}");
}

#[tokio::test]
async fn locations_are_apart_on_one_server() {
    let Some(server) = server(&[]) else { return };
    let one = connect(&server).await;
    let other = provider(json!({ "url": server.url(), "key-value": { "location": "elsewhere" } })).await;
    bucket(&*one).await.set("key", "1".into()).await.unwrap();
    assert!(!bucket(&*other).await.exists("key").await.unwrap());
    assert!(bucket(&*connect(&server).await).await.exists("key").await.unwrap());
}

#[tokio::test]
async fn connections_of_subscriptions_and_inboxes_close_with_them() {
    let Some(server) = server(&[]) else { return };
    let provider = connect(&server).await;
    let messaging = crate::support::messaging(&*provider);
    let mut redis = crate::support::redis(&server).await;
    let mut clients = async || -> usize {
        let list: String = redis::cmd("CLIENT").arg("LIST").query_async(&mut redis).await.unwrap();
        list.lines().count()
    };
    // That of the provider, and ours; the probe that found the server ready has gone.
    eventually("two clients", async || clients().await == 2).await;
    let member = crate::support::member(&*messaging, &["topic"], 10, DEADLINE).await;
    let mut inbox = messaging.inbox().await.unwrap();
    // It has none before it is read.
    let reading = tokio::spawn(async move { inbox.replies.next().await.is_some() });
    eventually("a connection of each", async || clients().await == 4).await;
    drop(member);
    reading.abort();
    eventually("the end of the connections", async || clients().await == 2).await;
}

#[tokio::test]
async fn a_node_of_a_cluster_asks_for_the_setting_that_says_so() {
    let Some(server) = server(&["--cluster-enabled", "yes"]) else { return };
    let eager = kind().connect(json!({ "url": server.url() })).await.err().unwrap();
    let lazy = provider(json!({ "url": server.url(), "connect": "lazy" })).await;
    for error in [eager, lazy.ping().await.unwrap_err(), lazy.inspect(Capability::KeyValue).await.unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        assert!(error.message().contains("cluster = true"), "{error}");
    }
}

#[tokio::test]
async fn a_single_server_asks_for_the_setting_that_says_so() {
    let Some(server) = server(&[]) else { return };
    let error = kind().connect(json!({ "url": server.url(), "cluster": true })).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    assert!(error.message().contains("`cluster`"), "{error}");
    is_plainly_said(&error);
}

#[tokio::test]
async fn a_user_that_may_not_ask_about_the_server_is_let_in() {
    let Some(server) = server(&[]) else { return };
    let mut user = redis::cmd("ACL");
    user.arg(&["SETUSER", "me", "on", ">hunter2", "~*", "&*", "+@all", "-info"]);
    user.exec_async(&mut crate::support::redis(&server).await).await.unwrap();
    let settings = json!({ "url": server.url(), "username": "me", "password": "hunter2" });
    bucket(&*provider(settings).await).await.set("key", "value".into()).await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_not_redis_is_told() {
    let Some(nats) = present(shared_url(&NATS)) else { return };
    let url = nats.replace("nats://", "redis://");
    let error = kind().connect(json!({ "url": url })).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.message().contains("does not speak Redis") && error.source().is_none(), "{error:?}");
}
