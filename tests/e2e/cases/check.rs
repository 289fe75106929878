//! `slight check`: what would be served by whom, without running the guest.

use std::{fs, net::TcpListener, path::Path};

use slight_e2e::{Ended, Invocation, check, guest, run, slight};

/// The cells of the line that begins with this word.
fn row<'a>(ended: &'a Ended, first: &str) -> Vec<&'a str> {
    let line = ended.stdout.lines().find(|line| line.starts_with(first));
    let line = line.unwrap_or_else(|| panic!("no line with {first:?} in\n{}", ended.stdout));
    cells(line)
}

fn cells(line: &str) -> Vec<&str> {
    line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect()
}

#[tokio::test]
async fn a_table_leads_from_import_over_route_to_provider() {
    let toml = "[providers.fast]\ntype = \"memory\"\n[key-value]\nusers = \"fast\"\nsessions = \"fast\"";
    let ended = check("kv").toml(toml).end().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(row(&ended, "import"), ["import", "route", "provider"]);
    let key_value = row(&ended, "wasi:keyvalue/");
    assert_eq!(key_value, [KEY_VALUE, "key-value: sessions", "fast (memory)"]);
    assert_eq!(row(&ended, "fast (memory)"), ["fast (memory)", "key-value", "answers"]);
    assert_eq!(row(&ended, "wasi:http  ")[1], "http://127.0.0.1:3000/");
}

/// What the guest `kv` imports of key-value.
const KEY_VALUE: &str = "wasi:keyvalue/{store,atomics,batch}@0.2.0-draft2";

#[tokio::test]
async fn every_route_has_a_row_with_its_provider_and_all_that_it_says() {
    let toml = "[providers.fast]\ntype = \"memory\"\n[providers.disk]\ntype = \"file\"\npath = \".\"\n\
                [key-value]\ncatalog = { provider = \"fast\", access = \"read\" }\n\
                sessions = { provider = \"memory\", prefix = \"shop\", name = \"people\", access = \"read\" }\n\"*\" = \"fast\"\n\
                [blob]\nphotos = { provider = \"disk\", existing = true, location = \"pictures\" }";
    let ended = check("kv").file("pictures/cat.jpg", "cat").toml(toml).end().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let table: Vec<Vec<&str>> = ended.stdout.lines().take(5).map(cells).collect();
    let expected = [
        &["import", "route", "provider", "with"][..],
        &[KEY_VALUE, "key-value: catalog", "fast (memory)", "access = \"read\""],
        &["key-value: sessions", "memory", "prefix = \"shop\", name = \"people\", access = \"read\""],
        &["key-value: *", "fast (memory)"],
        // Nothing is imported that leads here, but a start connects it all the same.
        &["(not imported)", "blob: photos", "disk (file)", "existing = true, location = \"pictures\""],
    ];
    assert_eq!(table, expected, "{}", ended.stdout);
}

#[tokio::test]
async fn the_rows_are_as_many_as_the_routes_and_in_line() {
    let routes: String = (10..40).map(|number| format!("tenant-{number} = \"memory\"\n")).collect();
    let ended = check("kv").toml(&format!("[key-value]\n{routes}")).end().await;
    let rows: Vec<&str> = ended.stdout.lines().filter(|line| line.contains("key-value: tenant-")).collect();
    assert_eq!(rows.len(), 30, "{}", ended.stdout);
    let columns: Vec<Option<usize>> = rows.iter().map(|row| row.find("key-value: ")).collect();
    assert!(columns.iter().all(|column| *column == columns[0]), "{}", ended.stdout);
    assert_eq!(ended.stdout.matches(KEY_VALUE).count(), 1, "{}", ended.stdout);
}

#[tokio::test]
async fn without_a_configuration_everything_leads_to_memory() {
    let ended = check("blob").end().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(row(&ended, "wasi:blobstore/")[1..], ["blob: *", "memory"]);
    assert!(!ended.stdout.contains("key-value") && !ended.stdout.contains("messaging"), "{}", ended.stdout);
}

#[tokio::test]
async fn a_capability_without_any_route_is_pointed_out() {
    let ended = check("kv").arg("--listen").arg("127.0.0.1:0").toml("").end().await;
    assert_eq!(row(&ended, "wasi:keyvalue/"), [KEY_VALUE, "none in [key-value]: every name is denied", "-"]);
    // It may be meant, so it is no error.
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let warnings: Vec<&str> = ended.stderr.lines().collect();
    assert!(warnings.len() == 1 && warnings[0].starts_with("warning: "), "{ended:?}");
    assert!(warnings[0].contains("[key-value]") && warnings[0].contains("every name is denied"), "{ended:?}");
}

#[tokio::test]
async fn what_the_file_decides_comes_first_and_the_hosts_own_is_a_row_a_package() {
    let ended = check("kv").end().await;
    let imports: Vec<&str> = ended.stdout.lines().skip(1).take_while(|line| !line.is_empty()).collect();
    assert!(imports[0].starts_with("wasi:keyvalue/"), "{}", ended.stdout);
    for package in ["wasi:cli (", "wasi:io (", "wasi:clocks ("] {
        let rows: Vec<_> = imports.iter().filter(|line| line.starts_with(package)).collect();
        assert!(rows.len() == 1 && rows[0].contains("the host"), "{}", ended.stdout);
    }
    let first_own = imports.iter().position(|line| line.contains("the host")).unwrap();
    assert!(imports[first_own..].iter().all(|line| line.contains("interface")), "{}", ended.stdout);
}

#[tokio::test]
async fn where_nothing_may_be_sent_to_is_said() {
    let ended = check("misbehave").toml("").end().await;
    assert_eq!(row(&ended, "wasi:http/outgoing-handler@")[1], "none in http-outbound: every origin is denied");
    let toml = "[component]\nhttp-outbound = [\"https://api.example.com\", \"http://*.internal:8080\"]";
    let ended = check("misbehave").toml(toml).end().await;
    let outbound = row(&ended, "wasi:http/outgoing-handler@");
    assert_eq!(outbound[1], "http-outbound: https://api.example.com, http://*.internal:8080");
}

#[tokio::test]
async fn a_section_that_no_route_leads_to_is_mentioned() {
    let toml = "[providers.spare]\ntype = \"memory\"\n[key-value]\n\"*\" = \"memory\"";
    let ended = check("kv").toml(toml).end().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(row(&ended, "spare (memory)"), ["spare (memory)", "-", "not used: no route leads to it"]);
}

#[tokio::test]
async fn topics_are_subscribed_to_as_for_run() {
    let ended = check("messages-only").arg("--subscribe").arg("orders").end().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(row(&ended, "wasi:messaging  "), ["wasi:messaging", "orders of default", "default"]);
}

#[tokio::test]
async fn what_subscribe_may_not_be_is_refused_as_it_is_at_the_start() {
    let long = "t".repeat(129);
    for (topics, part) in [
        (&[long.as_str()][..], "the topic name has 129 bytes; it may have at most 128"),
        (&["a", "a"], "--subscribe \"a\" is given twice"),
        (&["a", "a.default.dead"], "--subscribe \"a.default.dead\": this is the dead-letter topic of \"a\""),
    ] {
        let subscribed = |invocation| {
            topics.iter().fold(invocation, |invocation: Invocation, topic| invocation.arg("--subscribe").arg(*topic))
        };
        let error = subscribed(check("messages-only")).refusal().await;
        assert!(error.contains(part), "{part:?} is missing in\n{error}");
        assert_eq!(error, subscribed(run("messages-only")).refusal().await);
    }
}

#[tokio::test]
async fn an_address_that_cannot_be_listened_at_fails_the_check_as_it_does_the_start() {
    // Set aside for documentation (RFC 5737): no machine has it.
    let listen = |invocation: Invocation| invocation.arg("--listen").arg("192.0.2.1:3000");
    let checked = listen(check("hello-http")).end().await;
    assert_eq!(checked.code, Some(1), "{checked:?}");
    assert!(checked.stderr.contains("cannot listen on 192.0.2.1:3000: "), "{checked:?}");
    assert_eq!(checked.stderr.trim_end(), listen(slight(["run"]).arg(guest("hello-http"))).refusal().await);
}

#[tokio::test]
async fn an_address_in_use_is_a_warning_since_the_copy_to_be_replaced_may_have_it() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ended = check("hello-http").arg("--listen").arg(&address).end().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let warning = format!("warning: cannot listen on {address}: ");
    assert!(ended.stderr.starts_with(&warning) && ended.stderr.lines().count() == 1, "{ended:?}");
}

/// What is in a folder, with the folders in it.
fn entries(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        found.push(path.display().to_string());
        if path.is_dir() {
            found.extend(entries(&path));
        }
    }
    found
}

#[tokio::test]
async fn check_takes_what_run_takes() {
    let ended =
        check("cli").arg("--listen").arg("127.0.0.1:4000").arg("--env").arg("A=b").guest_args(["exit"]).end().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let ended = check("kv").arg("--listen").arg("127.0.0.1:4000").end().await;
    assert_eq!(row(&ended, "wasi:http  ")[1], "http://127.0.0.1:4000/");
}

#[tokio::test]
async fn warnings_are_objects_in_a_log_of_json() {
    let ended = check("kv").arg("--log-format").arg("json").arg("--listen").arg("127.0.0.1:0").toml("").end().await;
    assert_eq!((ended.code, ended.stderr.lines().count()), (Some(0), 1), "{ended:?}");
    let entry: serde_json::Value = serde_json::from_str(&ended.stderr).unwrap();
    assert_eq!(entry["level"], "WARN");
}

#[tokio::test]
async fn what_would_be_created_is_said_and_not_created() {
    for (guest, toml, missing) in [
        ("kv", "[providers.f]\ntype = \"redb\"\npath = \"data/f\"\n[key-value]\n\"*\" = \"f\"", "the database file "),
        ("kv", "[providers.f]\ntype = \"sled\"\npath = \"data/f\"\n[key-value]\n\"*\" = \"f\"", "the sled database "),
        ("blob", "[providers.f]\ntype = \"file\"\npath = \"data/f\"\n[blob]\n\"*\" = \"f\"", "the directory "),
    ] {
        let running = check(guest).toml(toml).spawn();
        let folder = running.dir().to_owned();
        running.wait_for_stdout("would be created").await;
        assert!(!entries(&folder).iter().any(|path| path.contains("/data")), "{:?}", entries(&folder));
        let ended = running.end().await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let state = *row(&ended, "f (").last().unwrap();
        assert!(state.starts_with(&format!("would be created: {missing}")) && state.contains("data/f"), "{state}");
    }
}

#[tokio::test]
async fn what_may_not_be_created_and_is_missing_fails_the_check_as_it_does_the_start() {
    let refused = |kind: &str, table: &str| {
        format!(
            "[providers.f]\ntype = \"{kind}\"\npath = \"data/f\"\n[providers.f.{table}]\ncreate = false\n\
             [{table}]\n\"*\" = \"f\""
        )
    };
    for (guest, kind, table) in [("kv", "redb", "key-value"), ("kv", "sled", "key-value"), ("blob", "file", "blob")] {
        let toml = refused(kind, table);
        let checked = check(guest).toml(&toml).end().await;
        assert_eq!(checked.code, Some(1), "{checked:?}");
        assert_eq!(row(&checked, "f (")[2], "not ready");
        for error in [checked.stderr, run(guest).toml(&toml).refusal().await] {
            for part in ["[providers.f]", "data/f", "\"create\""] {
                assert!(error.contains(part), "{part} is missing in {error}");
            }
        }
    }
}

#[tokio::test]
async fn an_existing_location_that_is_missing_fails_the_check_as_it_does_the_start() {
    let toml = "[providers.f]\ntype = \"file\"\npath = \".\"\n[blob]\nphotos = { provider = \"f\", existing = true }";
    let checked = check("blob").toml(toml).end().await;
    assert_eq!(checked.code, Some(1), "{checked:?}");
    for error in [checked.stderr, run("blob").toml(toml).refusal().await] {
        for part in ["[blob]", "\"photos\"", "[providers.f]", "there is no directory"] {
            assert!(error.contains(part), "{part} is missing in {error}");
        }
    }
    let there = check("blob").file("photos/cat.jpg", "cat").toml(toml).end().await;
    assert_eq!(there.code, Some(0), "{there:?}");
}

#[tokio::test]
async fn where_all_locations_are_existing_ones_that_of_the_provider_is_neither_needed_nor_made() {
    for create in [true, false] {
        let toml = format!(
            "[providers.f]\ntype = \"file\"\npath = \".\"\nblob = {{ create = {create} }}\n\
             [blob]\nphotos = {{ provider = \"f\", existing = true }}"
        );
        let checked = check("blob").file("photos/cat.jpg", "cat").toml(&toml).end().await;
        assert_eq!((checked.code, row(&checked, "f (")[2]), (Some(0), "answers"), "{checked:?}");
        let app = run("blob").file("photos/cat.jpg", "cat").toml(&toml).start().await;
        assert!(!app.dir().join("slight-blob").exists());
    }
}

#[tokio::test]
async fn a_backend_that_is_not_there_is_told_once() {
    let toml = "[providers.redis]\nurl = \"redis://127.0.0.1:1\"\n[key-value]\n\"*\" = \"redis\"\n[messaging]\n\"*\" = \"redis\"";
    let ended = check("kv").toml(toml).end().await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(row(&ended, "redis  "), ["redis", "key-value", "does not answer"]);
    assert_eq!(ended.stderr.matches("error: ").count(), 1, "{}", ended.stderr);
    assert_eq!(ended.stderr.matches("(os error 111)").count(), 1, "{}", ended.stderr);
}

#[tokio::test]
async fn a_database_that_another_process_has_open_is_said_to_be_open() {
    for kind in ["redb", "sled"] {
        let toml = |path: &str| format!("[providers.d]\ntype = \"{kind}\"\npath = \"{path}\"\n[key-value]\na = \"d\"");
        let app = run("kv").toml(&toml("d")).start().await;
        let path = app.dir().join("d");
        let ended = check("kv").toml(&toml(&path.display().to_string())).end().await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        let state = row(&ended, "d (")[2];
        let open = format!("{} is open already, in another process or another section", path.display());
        assert!(state.starts_with("not ready: the database ") && state.ends_with(&open), "{ended:?}");
    }
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
