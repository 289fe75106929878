use std::{fs, time::Instant};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use nkeys::KeyPair;
use serde_json::{Value, json};
use slight_capabilities::{Capability, ErrorKind};
use slight_provider_nats::kind;
use slight_services::Server;

use crate::support::{provider, server};

/// Requires that some settings are let in, and that the others are refused without being shown.
async fn lets_in(server: &Server, good: &[Value], bad: &[Value]) {
    let with_url = |settings: &Value| {
        let mut settings = settings.clone();
        settings.as_object_mut().unwrap().entry("url").or_insert_with(|| server.url().into());
        settings
    };
    for settings in good {
        provider(with_url(settings)).await.prepare(Capability::KeyValue).await.unwrap();
    }
    for settings in bad {
        let eager = kind().connect(with_url(settings)).await.err().unwrap();
        let mut lazy = with_url(settings);
        lazy["connect"] = "lazy".into();
        let lazy = provider(lazy).await.ping().await.unwrap_err();
        for error in [eager, lazy] {
            assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
            let shown = format!("{error} {error:?}");
            assert!(error.message().contains("credentials") && !shown.contains("hunter"), "{shown}");
        }
    }
}

#[tokio::test]
async fn a_user_and_a_password_are_asked_for_and_given() {
    let Some(server) = server(&["--user", "me", "--pass", "hunter@2"]) else { return };
    let url = |login: &str| format!("nats://{login}@127.0.0.1:{}", server.port());
    let good = [json!({ "username": "me", "password": "hunter@2" }), json!({ "url": url("me:hunter%402") })];
    let bad = [json!({}), json!({ "username": "me", "password": "hunter3" }), json!({ "url": url("me:hunter4") })];
    lets_in(&server, &good, &bad).await;
}

#[tokio::test]
async fn a_token_is_asked_for_and_given() {
    let Some(server) = server(&["--auth", "hunter2"]) else { return };
    let url = format!("nats://hunter2@127.0.0.1:{}", server.port());
    lets_in(&server, &[json!({ "token": "hunter2" }), json!({ "url": url })], &[json!({ "token": "hunter3" })]).await;
}

#[tokio::test]
async fn an_nkey_is_asked_for_and_given() {
    let (user, other) = (KeyPair::new_user(), KeyPair::new_user());
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("nkey.conf").display().to_string();
    fs::write(&config, format!("authorization {{ users = [ {{ nkey: {} }} ] }}", user.public_key())).unwrap();
    let Some(server) = server(&["--config", &config]) else { return };
    let seed = |pair: &KeyPair| json!({ "nkey": pair.seed().unwrap() });
    lets_in(&server, &[seed(&user)], &[seed(&other), json!({ "nkey": "no seed" })]).await;
}

/// A token that says something of `subject`, signed by `issuer`.
fn token(issuer: &KeyPair, subject: &KeyPair, says: Value) -> String {
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let claims = json!({
        "jti": "test", "iat": 1_700_000_000, "name": "test",
        "iss": issuer.public_key(), "sub": subject.public_key(), "nats": says,
    });
    let signed = format!("{}.{}", part(json!({ "typ": "JWT", "alg": "ed25519-nkey" })), part(claims));
    let signature = URL_SAFE_NO_PAD.encode(issuer.sign(signed.as_bytes()).unwrap());
    format!("{signed}.{signature}")
}

/// An account's token; the system's account has no JetStream.
fn account(operator: &KeyPair, account: &KeyPair, jetstream: bool) -> String {
    let mut limits = json!({ "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true,
        "conn": -1, "leaf": -1 });
    if jetstream {
        for limit in ["mem_storage", "disk_storage", "streams", "consumer"] {
            limits[limit] = (-1).into();
        }
    }
    token(operator, account, json!({ "type": "account", "version": 2, "limits": limits }))
}

fn credentials(issuer: &KeyPair, user: &KeyPair) -> String {
    let jwt = token(issuer, user, json!({ "type": "user", "version": 2, "subs": -1, "data": -1, "payload": -1 }));
    format!(
        "-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n\
         -----BEGIN USER NKEY SEED-----\n{}\n------END USER NKEY SEED------\n",
        user.seed().unwrap()
    )
}

#[tokio::test]
async fn a_credentials_file_is_asked_for_and_given() {
    let (operator, system, ours) = (KeyPair::new_operator(), KeyPair::new_account(), KeyPair::new_account());
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let config = format!(
        "operator: {}\nsystem_account: {}\nresolver: MEMORY\nresolver_preload: {{ {}: {}, {}: {} }}\n",
        token(&operator, &operator, json!({ "type": "operator", "version": 2 })),
        system.public_key(),
        system.public_key(),
        account(&operator, &system, false),
        ours.public_key(),
        account(&operator, &ours, true),
    );
    fs::write(path("operator.conf"), config).unwrap();
    fs::write(path("good.creds"), credentials(&ours, &KeyPair::new_user())).unwrap();
    fs::write(path("bad.creds"), credentials(&KeyPair::new_account(), &KeyPair::new_user())).unwrap();
    let Some(server) = server(&["--config", &path("operator.conf")]) else { return };
    let file = |name: &str| json!({ "credentials-file": path(name) });
    lets_in(&server, &[file("good.creds")], &[file("bad.creds"), json!({})]).await;
}

#[tokio::test]
async fn what_the_user_may_not_do_is_denied_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("permissions.conf").display().to_string();
    let permissions = r#"authorization { users = [
        { user: all, password: all }
        { user: some, password: some, permissions: { publish: { deny: ["$JS.API.STREAM.CREATE.>", "$KV.slight-kv.bucket.=.secret"] } } }
    ] }"#;
    fs::write(&config, permissions).unwrap();
    let Some(server) = server(&["--config", &config]) else { return };
    let as_user = async |user: &str| {
        provider(json!({ "url": server.url(), "username": user, "password": user })).await.key_value().unwrap()
    };
    let (all, some) = (as_user("all").await, as_user("some").await);
    let started = Instant::now();
    let denied = some.open(&"bucket".into()).await.err().unwrap();
    assert_eq!(denied.kind(), ErrorKind::Denied, "{denied}");
    all.open(&"bucket".into()).await.unwrap();
    let bucket = some.open(&"bucket".into()).await.unwrap();
    bucket.set("public", "1".into()).await.unwrap();
    let denied = bucket.set("secret", "1".into()).await.unwrap_err();
    assert_eq!(denied.kind(), ErrorKind::Denied, "{denied}");
    // Where the denial is not heard of, one call alone takes six seconds.
    assert!(started.elapsed().as_secs() < 6, "{:?}", started.elapsed());
}
