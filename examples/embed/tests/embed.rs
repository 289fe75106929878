//! The provider passes the suite, and apps of it run in this process.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "the helpers are part of the tests")]

use std::path::Path;

use async_trait::async_trait;
use serde_json::json;
use slight::{App, CodeCache, Component, Config, Kinds, Running, builtin, capabilities::Result};
use slight_conformance::{Connection, Harness, Section};

struct OnShelf;

#[async_trait]
impl Harness for OnShelf {
    async fn connect(&self) -> Result<Connection> {
        Ok(Connection::Ready(embed::kind().connect(json!({})).await?))
    }

    fn section(&self) -> Option<Section> {
        Some(Section::new(embed::kind(), json!({})))
    }
}

slight_conformance::provider!(OnShelf);
slight_conformance::key_value!(OnShelf);
slight_conformance::many_keys!(OnShelf);

/// Ends at once, with success: a command.
const COMMAND: &str = r#"(component
    (core module $m (func (export "run") (result i32) (i32.const 0)))
    (core instance $i (instantiate $m))
    (func $run (result (result)) (canon lift (core func $i "run")))
    (component $shape (import "run" (func $f (result (result)))) (export "run" (func $f)))
    (instance $run-instance (instantiate $shape (with "run" (func $run))))
    (export "wasi:cli/run@0.2.0" (instance $run-instance))
)"#;

fn kinds() -> Kinds {
    builtin().with(embed::kind())
}

fn config(toml: &str) -> Config {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("slight.toml");
    std::fs::write(&path, toml).unwrap();
    Config::load(&path, &kinds()).unwrap()
}

async fn start(toml: &str, component: Component) -> slight::Result<Running> {
    App::new(kinds(), config(toml), component).cache(CodeCache::Off).start().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_from_bytes_runs_to_its_end() {
    let component = Component::from_bytes("command", wat::parse_str(COMMAND).unwrap());
    let running = start("[providers.mine]\ntype = 'shelf'\n[key-value]\n'*' = 'mine'", component).await.unwrap();
    assert!(running.address().is_none());
    let health = running.health().await;
    assert!(health.providers["mine"].is_ok() && !health.draining);
    assert_eq!(running.wait().await.unwrap(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_said_before_anything_runs() {
    let missing = start("", Component::from_file("nowhere.wasm")).await.err().expect("there is no such file");
    assert!(missing.to_string().contains("nowhere.wasm"), "{missing}");
    let unknown = Config::load(Path::new("nowhere.toml"), &kinds()).unwrap_err();
    assert!(unknown.to_string().contains("nowhere.toml"), "{unknown}");
}
