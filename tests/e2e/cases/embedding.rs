//! Apps within this process, through the library.

use std::{fs, net::SocketAddr};

use http::Method;
use slight::{App, CodeCache, Component, Config, Running, builtin};
use slight_e2e::{Connection, empty, eventually, guest};

const ANY_PORT: &str = "http.listen = \"127.0.0.1:0\"\nkey-value.default = \"memory\"";

async fn start(component: Component) -> Running {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("slight.toml");
    fs::write(&path, ANY_PORT).unwrap();
    let config = Config::load(&path, &builtin()).unwrap();
    App::new(builtin(), config, component).cache(CodeCache::Off).start().await.unwrap()
}

async fn visit(address: SocketAddr) -> String {
    Connection::http1(address).await.fetch(Method::GET, "/", empty()).await.text()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_apps_of_one_process_do_not_notice_each_other() {
    let bytes = Component::from_bytes("visits", fs::read(guest("visits")).unwrap());
    let (one, other) = (start(bytes).await, start(Component::from_file(guest("visits"))).await);
    let [first, second] = [&one, &other].map(|app| app.address().unwrap());
    assert_eq!(visit(first).await, visit(second).await, "each has data of its own");
    assert_ne!(visit(first).await, visit(first).await, "and keeps it");
    let health = other.health().await;
    assert!(!health.draining && health.providers["memory"].is_ok(), "{health:?}");
    one.stop().await.unwrap();
    assert!(tokio::net::TcpStream::connect(first).await.is_err());
    visit(second).await;
    drop(other);
    eventually("the end of what was dropped", async || {
        tokio::net::TcpStream::connect(second).await.is_err().then_some(())
    })
    .await;
    let again = start(Component::from_file(guest("visits"))).await;
    assert_eq!(visit(again.address().unwrap()).await, "visit 1\n");
    again.stop().await.unwrap();
}
