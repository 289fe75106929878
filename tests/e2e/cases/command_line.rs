//! The command line as such.

use serde_json::Value;
use slight_e2e::{guest, run, slight};

#[tokio::test]
async fn help_explains_every_command_with_examples() {
    for (arguments, parts) in [
        (&["--help"][..], &["run", "check", "config", "SLIGHT_LOG"][..]),
        (&["run", "--help"], &["Examples:", "--listen", "--env", "--subscribe", "--config"]),
        (&["check", "--help"], &["Examples:", "--config", "--subscribe"]),
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

#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_output_without_room_is_a_failure() {
    let toml = "key-value.default = \"memory\"";
    for command in [
        slight(["--version"]),
        slight(["--help"]),
        slight(["run", "--help"]),
        slight(["config", "schema"]),
        slight_e2e::check("kv").toml(toml),
    ] {
        let ended = command.stdout_full().end().await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.stderr.starts_with("error: cannot write to the standard output: "), "{ended:?}");
    }
}

#[tokio::test]
async fn an_output_that_nobody_reads_is_no_failure() {
    for arguments in [&["--version"][..], &["--help"], &["check", "--help"]] {
        let ended = slight(arguments.iter().copied()).stdout_closed().end().await;
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    }
}

#[tokio::test]
async fn what_is_not_understood_exits_with_2_and_a_hint() {
    for (arguments, part) in [
        (&[][..], "Usage"),
        (&["rnu"], "Usage"),
        (&["run"], "COMPONENT"),
        (&["run", "a.wasm", "--listne", "x"], "--listen"),
        (&["run", "a.wasm", "--listen", "nowhere"], "nowhere"),
        (&["run", "a.wasm", "--listen", "3000"], "such as \"127.0.0.1:3000\""),
        (&["run", "a.wasm", "--listen", ":3000"], "0.0.0.0 all"),
        (&["run", "a.wasm", "--trigger", "htpp"], "http"),
        (&["check", "a.wasm", "-c", "x.toml", "--subscribe", "t"], "cannot be used with"),
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

#[tokio::test]
async fn localhost_is_an_address_to_listen_at() {
    let app = slight(["run"]).arg(guest("hello-http")).arg("--listen").arg("localhost:0").spawn();
    let line = app.wait_for_log("serving HTTP on ").await;
    assert!(line.contains("http://127.0.0.1:"), "{line}");
    app.stop().await;
    let app = slight(["run"]).arg(guest("hello-http")).toml("http.listen = \"localhost:0\"").spawn();
    let line = app.wait_for_log("serving HTTP on ").await;
    assert!(line.contains("http://127.0.0.1:"), "{line}");
    app.stop().await;
}

#[tokio::test]
async fn the_log_tells_what_an_app_stands_on_and_when_it_stopped() {
    let toml = "[providers.f]\ntype = \"redb\"\npath = \"f.redb\"\n[key-value]\na = \"f\"\nb = \"memory\"";
    let app = run("kv").toml(toml).start().await;
    let line = app.wait_for_log("kv.wasm: ").await;
    assert!(line.contains("key-value on f (redb) and memory, whose data ends with slight"), "{line}");
    let ended = app.stop().await;
    assert!(ended.stderr.trim_end().ends_with("stopped"), "{}", ended.stderr);

    let app = run("kv").toml("[providers.f]\ntype = \"redb\"\npath = \"f.redb\"\n[key-value]\na = \"f\"").start().await;
    assert!(app.wait_for_log("kv.wasm: ").await.trim_end().ends_with("key-value on f (redb)"));
    let app = run("hello-http").start().await;
    app.wait_for_log("hello-http.wasm: no capabilities").await;
}
