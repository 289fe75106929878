//! `slight check`: what would be served by whom, without running the guest.

use slight_e2e::{Ended, check, guest, slight};

/// The cells of the line that begins with this word.
fn row<'a>(ended: &'a Ended, first: &str) -> Vec<&'a str> {
    let line = ended.stdout.lines().find(|line| line.starts_with(first));
    let line = line.unwrap_or_else(|| panic!("no line with {first:?} in\n{}", ended.stdout));
    line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect()
}

#[tokio::test]
async fn a_table_leads_from_import_over_route_to_provider() {
    let toml = "[providers.fast]\ntype = \"memory\"\n[key-value]\nusers = \"fast\"\nsessions = \"fast\"";
    let ended = check("kv").toml(toml).end().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(row(&ended, "import"), ["import", "route", "provider"]);
    let key_value = row(&ended, "wasi:keyvalue/store@0.2.0-draft2");
    assert!(key_value[1].contains("users") && key_value[1].contains("sessions"), "{key_value:?}");
    assert_eq!(key_value[2], "fast (memory)");
    assert_eq!(row(&ended, "fast (memory)"), ["fast (memory)", "key-value", "answers"]);
    assert_eq!(row(&ended, "wasi:http  ")[1], "http://127.0.0.1:3000/");
}

#[tokio::test]
async fn without_a_configuration_everything_leads_to_memory() {
    let ended = check("blob").end().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(
        row(&ended, "wasi:blobstore/container@0.2.0-draft"),
        ["wasi:blobstore/container@0.2.0-draft", "blob: *", "memory"]
    );
}

#[tokio::test]
async fn a_capability_without_any_route_is_pointed_out() {
    let ended = check("kv").toml("").end().await;
    let key_value = row(&ended, "wasi:keyvalue/store@0.2.0-draft2");
    assert!(key_value[1].contains("every name is denied"), "{key_value:?}");
}

#[tokio::test]
async fn subscriptions_are_listed() {
    let toml = "[key-value]\ndefault = \"memory\"\n[messaging]\ndefault = \"memory\"\n\
                [[messaging.subscriptions]]\ntopics = [\"orders\", \"returns\"]\ngroup = \"billing\"";
    let ended = check("messaging").toml(toml).end().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(row(&ended, "wasi:messaging  "), ["wasi:messaging", "orders, returns of default", "billing"]);
}

#[tokio::test]
async fn an_import_that_nobody_serves_fails_the_check_and_is_in_the_table() {
    let ended = check("unserved-import").end().await;
    assert_eq!(ended.code, Some(1));
    assert_eq!(row(&ended, "example:nothing/thing@1.0.0")[1], "not served");
    assert!(ended.stderr.contains("example:nothing/thing@1.0.0"), "{}", ended.stderr);
}

#[tokio::test]
async fn whatever_could_not_start_fails_the_check() {
    for (guest, toml) in [
        ("unknown-export", ""),
        ("messages-only", ""),
        ("kv", "[messaging]\ndefault = \"memory\"\n[[messaging.subscriptions]]\ntopics = [\"t\"]\ngroup = \"g\""),
    ] {
        let ended = check(guest).toml(toml).end().await;
        assert_eq!(ended.code, Some(1), "{guest}: {ended:?}");
        assert!(ended.stderr.starts_with("error: "), "{guest}: {ended:?}");
    }
    slight(["check", "none.wasm"]).refusal().await;
}

#[tokio::test]
async fn the_guest_does_not_run() {
    let ended = check("cli").end().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(!ended.stdout.contains("hello"), "{}", ended.stdout);
    assert_eq!(row(&ended, "wasi:cli/run"), ["wasi:cli/run", "once, at the start"]);
}

#[tokio::test]
async fn every_guest_that_is_served_passes() {
    for name in [
        "hello-http",
        "hello-http-p3",
        "kv",
        "kv-draft",
        "kv-pairs",
        "kv-p3",
        "cli",
        "cli-p3",
        "config-rc1",
        "logging",
        "blob",
    ] {
        let ended = slight(["check"]).arg(guest(name)).end().await;
        assert_eq!(ended.code, Some(0), "{name}: {ended:?}");
        assert!(!ended.stdout.contains("not served"), "{name}: {}", ended.stdout);
    }
}

#[tokio::test]
async fn a_reader_that_has_seen_enough_is_no_failure() {
    // As in `slight check app.wasm | head -1`.
    let ended = check("kv").stdout_closed().end().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let ended = slight(["config", "schema"]).stdout_closed().end().await;
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
}
