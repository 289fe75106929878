//! Components that cannot run: one paragraph that says what to do, and exit code 1.

use slight_e2e::{Invocation, guest, slight};

/// `slight run` of a file with this content.
fn run_file(content: impl AsRef<[u8]>) -> Invocation {
    slight(["run", "app.wasm"]).file("app.wasm", content)
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
async fn a_component_that_is_cut_off() {
    let whole = std::fs::read(guest("kv")).unwrap();
    let error = run_file(&whole[..whole.len() / 2]).refusal().await;
    assert!(error.contains("app.wasm is not a valid component"), "{error}");
}

#[tokio::test]
async fn a_missing_file_and_a_folder() {
    let error = slight(["run", "none.wasm"]).refusal().await;
    assert!(error.contains("cannot read the component none.wasm"), "{error}");
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
    let mut bytes = std::fs::read(guest("kv")).unwrap();
    let (served, wanted) = (b"wasi:keyvalue/store@0.2.0-draft2", b"wasi:keyvalue/store@0.2.0-draft3");
    let places: Vec<usize> =
        bytes.windows(served.len()).enumerate().filter(|(_, window)| *window == served).map(|(at, _)| at).collect();
    assert!(!places.is_empty());
    for place in places {
        bytes[place..place + served.len()].copy_from_slice(wanted);
    }
    let error = run_file(bytes).refusal().await;
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
