//! Components that cannot run: one paragraph that says what to do, and exit code 1.

use serde_json::Value;
use slight_e2e::{Invocation, guest, patched, slight};

/// `slight run` of a file with this content.
fn run_file(content: impl AsRef<[u8]>) -> Invocation {
    slight(["run", "app.wasm"]).file("app.wasm", content)
}

/// What both `slight run` and `slight check` say of a file with this content, whatever the latter prints before.
async fn refused_by_both(content: Vec<u8>) -> String {
    let error = run_file(&content).refusal().await;
    let checked = slight(["check", "app.wasm"]).file("app.wasm", &content).env("SLIGHT_LOG", "warn").end().await;
    assert_eq!((checked.code, checked.stderr.trim_end()), (Some(1), error.as_str()));
    error
}

#[tokio::test]
async fn a_file_that_is_not_wasm() {
    for content in ["#!/bin/sh\necho hello\n", "", "\0as"] {
        let error = run_file(content).refusal().await;
        assert!(error.contains("app.wasm is not WebAssembly") && error.contains("wasm32-wasip2"), "{error}");
    }
}

#[tokio::test]
async fn a_core_module() {
    let error = run_file(b"\0asm\x01\0\0\0").refusal().await;
    assert!(error.contains("core module") && error.contains("wasm32-wasip2"), "{error}");
}

#[tokio::test]
async fn a_trigger_that_is_chosen_and_not_there() {
    let toml = "component.triggers = [\"http\"]";
    for error in [
        slight_e2e::run("cli").toml(toml).refusal().await,
        slight(["run"]).arg(guest("cli")).arg("--trigger").arg("http").refusal().await,
    ] {
        for part in ["the trigger \"http\" is chosen", "wasi:http/incoming-handler", "it can run on \"command\""] {
            assert!(error.contains(part), "{part:?} is missing in {error}");
        }
    }
}

#[tokio::test]
async fn a_component_that_is_cut_off() {
    let whole = std::fs::read(guest("kv")).unwrap();
    let error = run_file(&whole[..whole.len() / 2]).refusal().await;
    assert!(error.contains("app.wasm is not a valid component"), "{error}");
}

#[tokio::test]
async fn a_missing_file_and_a_folder() {
    let error = slight(["run", "none.wasm"]).refusal().await;
    assert!(error.contains("cannot read the component none.wasm") && error.contains("correct the path"), "{error}");
    let error = slight(["run", "."]).refusal().await;
    assert!(error.contains("cannot read the component ."), "{error}");
}

#[tokio::test]
async fn an_import_that_nobody_serves_is_named() {
    let error = slight(["run"]).arg(guest("unserved-import")).refusal().await;
    assert!(error.contains("example:nothing/thing@1.0.0") && error.contains("not served"), "{error}");
}

#[tokio::test]
async fn an_import_that_is_nearly_served_is_named_with_the_nearest() {
    let bytes = patched("kv", "wasi:keyvalue/store@0.2.0-draft2", "wasi:keyvalue/store@0.2.0-draft3");
    let error = refused_by_both(bytes).await;
    for part in ["wasi:keyvalue/store@0.2.0-draft3", "nearest", "wasi:keyvalue/store@0.2.0-draft2"] {
        assert!(error.contains(part), "{part:?} is missing in {error}");
    }
}

#[tokio::test]
async fn a_component_without_an_export_that_can_be_started() {
    let error = slight(["run"]).arg(guest("unknown-export")).refusal().await;
    for part in
        ["example:nothing/thing@1.0.0", "wasi:cli/run", "wasi:http/incoming-handler", "wasi:messaging/incoming-handler"]
    {
        assert!(error.contains(part), "{part:?} is missing in {error}");
    }
}

#[tokio::test]
async fn a_function_that_an_interface_does_not_have_is_named() {
    let error = refused_by_both(patched("kv", "list-keys", "list-kays")).await;
    for part in ["the method bucket.list-kays of wasi:keyvalue/store@0.2.0-draft2", "is not in", "published WIT"] {
        assert!(error.contains(part), "{part:?} is missing in {error}");
    }
    let error = refused_by_both(patched("kv", "get-many", "get-mony")).await;
    assert!(error.contains("the function get-mony of wasi:keyvalue/batch@0.2.0-draft2"), "{error}");
}

#[tokio::test]
async fn an_export_without_the_function_that_is_called_is_named() {
    for (name, old, new, missing) in [
        // With its length before it, it is a name of its own.
        ("hello-http", "\x06handle", "\x06hendle", ["wasi:http/incoming-handler@0.2.", "`handle`"]),
        ("cli", "\x03run", "\x03ron", ["wasi:cli/run@0.2.", "`run`"]),
    ] {
        let error = refused_by_both(patched(name, old, new)).await;
        assert!(missing.iter().all(|part| error.contains(part)), "{error}");
    }
}

#[tokio::test]
async fn an_export_that_could_nearly_be_started_is_named_with_the_nearest() {
    for (name, old, new, nearest) in [
        ("hello-http", "incoming-handler", "incoming-hendler", "wasi:http/incoming-handler@0.2.0"),
        ("cli-p3", "wasi:cli/run@0.3.2", "wasi:cli/rum@0.3.2", "wasi:cli/run@0.3.0"),
    ] {
        let error = refused_by_both(patched(name, old, new)).await;
        assert!(error.contains(&format!("(the nearest of those is {nearest})")), "{error}");
    }
}

#[tokio::test]
async fn a_refusal_is_an_object_in_a_log_of_json() {
    for arguments in [&["run", "none.wasm"][..], &["check", "none.wasm"], &["run", "none.wasm", "-c", "none.toml"]] {
        // Whatever is logged.
        let ended =
            slight(arguments.iter().copied()).arg("--log-format").arg("json").env("SLIGHT_LOG", "off").end().await;
        assert_eq!((ended.code, ended.stderr.lines().count()), (Some(1), 1), "{ended:?}");
        let entry: Value = serde_json::from_str(&ended.stderr).unwrap();
        assert_eq!(entry["level"], "ERROR");
        assert!(entry["message"].as_str().is_some_and(|message| message.contains("none.")), "{entry}");
    }
}

#[tokio::test]
async fn a_component_that_begins_with_more_memory_than_it_may_have() {
    let toml = "limits = { memory = \"64KiB\" }";
    for command in [slight_e2e::run, slight_e2e::check] {
        let error = command("hello-http").toml(toml).refusal().await;
        assert!(error.contains("65536 (limits.memory)"), "{error}");
    }
}

#[tokio::test]
async fn a_message_handler_without_a_subscription() {
    let error = slight(["run"]).arg(guest("messages-only")).refusal().await;
    assert!(error.contains("--subscribe TOPIC") && error.contains("[[messaging.subscriptions]]"), "{error}");
}

#[tokio::test]
async fn a_subscription_without_a_message_handler() {
    let toml = "[messaging]\ndefault = \"memory\"\n[[messaging.subscriptions]]\ntopics = [\"t\"]\ngroup = \"g\"";
    let error = slight_e2e::run("kv").toml(toml).refusal().await;
    assert!(error.contains("does not export wasi:messaging/incoming-handler"), "{error}");
    let error = slight_e2e::run("kv").arg("--subscribe").arg("t").refusal().await;
    assert!(error.contains("does not export wasi:messaging/incoming-handler"), "{error}");
}

#[tokio::test]
async fn a_port_that_is_in_use() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let error = slight(["run"]).arg(guest("hello-http")).arg("--listen").arg(&address).refusal().await;
    assert!(error.contains(&address) && error.contains("--listen"), "{error}");
}
