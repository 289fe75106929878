//! The command line as such.

use serde_json::Value;
use slight_e2e::{guest, run, slight};

#[tokio::test]
async fn help_explains_every_command_with_examples() {
    for (arguments, parts) in [
        (&["--help"][..], &["run", "check", "config", "SLIGHT_LOG"][..]),
        (&["run", "--help"], &["Examples:", "--listen", "--env", "--subscribe", "--config"]),
        (&["check", "--help"], &["Examples:", "--config"]),
        (&["config", "--help"], &["schema"]),
    ] {
        let ended = slight(arguments.iter().copied()).end().await;
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
        for part in parts {
            assert!(ended.stdout.contains(part), "{part:?} is missing in {arguments:?}:\n{}", ended.stdout);
        }
    }
}

#[tokio::test]
async fn the_version_is_the_crates() {
    let ended = slight(["--version"]).end().await;
    assert_eq!((ended.code, ended.stdout), (Some(0), format!("slight {}\n", env!("CARGO_PKG_VERSION"))));
}

#[tokio::test]
async fn what_is_not_understood_exits_with_2_and_a_hint() {
    for (arguments, part) in [
        (&[][..], "Usage"),
        (&["rnu"], "Usage"),
        (&["run"], "COMPONENT"),
        (&["run", "a.wasm", "--listne", "x"], "--listen"),
        (&["run", "a.wasm", "--listen", "nowhere"], "nowhere"),
        (&["run", "a.wasm", "--env", "NAME"], "NAME=VALUE"),
        (&["run", "a.wasm", "--env", "=x"], "NAME=VALUE"),
        (&["run", "a.wasm", "-c", "x.toml", "--subscribe", "t"], "cannot be used with"),
    ] {
        let ended = slight(arguments.iter().copied()).end().await;
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{arguments:?}: {ended:?}");
        assert!(ended.stderr.contains(part), "{part:?} is missing for {arguments:?}:\n{}", ended.stderr);
    }
}

#[tokio::test]
async fn the_schema_describes_every_section() {
    let ended = slight(["config", "schema"]).end().await;
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    let schema: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert!(
        schema["$schema"].as_str().is_some_and(|dialect| dialect.contains("json-schema.org")),
        "{}",
        schema["$schema"]
    );
    for section in ["http", "limits", "component", "providers", "key-value", "blob", "messaging"] {
        assert!(schema["properties"][section].is_object(), "{section} is missing");
    }
    every_reference_leads_somewhere(&schema, &schema);
}

fn every_reference_leads_somewhere(value: &Value, schema: &Value) {
    if let Some(reference) = value.get("$ref").and_then(Value::as_str) {
        let pointer = reference.strip_prefix('#').unwrap_or_else(|| panic!("{reference} leads out of the schema"));
        assert!(schema.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
    match value {
        Value::Object(entries) => entries.values().for_each(|value| every_reference_leads_somewhere(value, schema)),
        Value::Array(items) => items.iter().for_each(|value| every_reference_leads_somewhere(value, schema)),
        _ => {}
    }
}

#[tokio::test]
async fn listen_on_the_command_line_wins_over_the_file() {
    // Port 1 is for privileged processes, and nothing here is meant to listen on it.
    let app = run("hello-http").toml("[http]\nlisten = \"127.0.0.1:1\"").start().await;
    assert_eq!(app.get("/").await.text(), "hello");
}

#[tokio::test]
async fn listen_in_the_file_holds_without_the_command_line() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let app = slight(["run"]).arg(guest("hello-http")).toml(&format!("[http]\nlisten = \"{address}\""));
    let error = app.refusal().await;
    assert!(error.contains(&address.to_string()), "{error}");
}
