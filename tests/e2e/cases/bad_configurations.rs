//! Configurations with mistakes: all of them at once, each with its place, and never a secret.

use slight_e2e::{check, guest, run, slight};

#[tokio::test]
async fn every_mistake_is_reported_with_its_line_and_column() {
    let toml = "[htpp]\nlisten = \"127.0.0.1:0\"\n\n[limits]\ntimeout = \"soon\"\nmemroy = \"1MiB\"\n\n[key-value]\nusers = \"redsi\"\n";
    let error = run("kv").toml(toml).refusal().await;
    for part in [
        ":1:2: ",
        "\"htpp\"",
        "did you mean \"http\"?",
        ":5:11: ",
        "\"timeout\" must be a duration",
        "not \"soon\"",
        ":6:1: ",
        "\"memroy\"",
        "did you mean \"memory\"?",
        ":9:9: ",
        "\"redsi\"",
    ] {
        assert!(error.contains(part), "{part:?} is missing in\n{error}");
    }
    assert_eq!(error.matches("slight.toml:").count(), 4, "{error}");
}

#[tokio::test]
async fn what_is_not_toml_is_reported_with_its_place() {
    let error = run("kv").toml("[key-value]\nusers = memory\n").refusal().await;
    assert!(error.contains("slight.toml:2:9: ") && error.contains("not TOML"), "{error}");
}

#[tokio::test]
async fn a_configuration_that_is_not_there_is_named() {
    let error = slight(["run"]).arg(guest("kv")).arg("-c").arg("none.toml").refusal().await;
    assert!(error.contains("none.toml") && error.contains("cannot be read"), "{error}");
}

#[tokio::test]
async fn a_secret_that_is_not_set_is_named_with_its_place() {
    let toml = "[component]\nconfig = { a = \"${env:UNSET_SECRET}\", b = \"${file:none.txt}\" }";
    let error = run("kv").toml(toml).refusal().await;
    for part in [":2:17: ", "the environment variable \"UNSET_SECRET\" is not set", ":2:44: ", "none.txt"] {
        assert!(error.contains(part), "{part:?} is missing in\n{error}");
    }
}

#[tokio::test]
async fn a_secret_is_never_shown_wherever_it_is_wrong() {
    for toml in [
        "limits = { timeout = \"${env:SECRET}\" }",
        "limits = { concurrency = \"${env:SECRET}\" }",
        "http = { listen = \"${env:SECRET}\" }",
        "key-value = { users = \"${env:SECRET}\" }",
        "key-value = { users = { provider = \"memory\", prefix = \"${env:SECRET}\" } }",
        "key-value = { users = { provider = \"memory\", access = \"${env:SECRET}\" } }",
        "providers = { x = { type = \"${env:SECRET}\" } }",
        "providers = { memory = { password = \"${env:SECRET}\" } }",
        "component = { http-outbound = [\"${env:SECRET}\"] }",
        "component = { files = [{ guest = \"/d\", host = \"${env:SECRET}\" }] }",
        "component = { files = [{ guest = \"../${file:secret.txt}\", host = \".\" }] }",
    ] {
        // A character that is legal nowhere, so that every place refuses it.
        let secret = "hunter2 \u{7}";
        let error = run("kv").file("secret.txt", secret).env("SECRET", secret).toml(toml).refusal().await;
        assert!(!error.contains("hunter2"), "{toml}:\n{error}");
        assert!(error.contains("slight.toml:1:"), "{toml}:\n{error}");
    }
}

#[tokio::test]
async fn a_reference_without_a_name_is_told() {
    let error = run("kv").toml("[component]\nconfig = { a = \"${env:}\", b = \"${file:}\" }").refusal().await;
    for part in ["the name of the variable is missing", "the path of the file is missing"] {
        assert!(error.contains(part), "{part:?} is missing in\n{error}");
    }
}

#[tokio::test]
async fn check_finds_the_same_mistakes() {
    let toml = "[limits]\nmemroy = \"1MiB\"\n";
    let (run, check) = (run("kv").toml(toml).refusal().await, check("kv").toml(toml).refusal().await);
    // Each ran in a folder of its own.
    let sentence = |error: &str| error.split("slight.toml").nth(1).map(str::to_owned);
    assert_eq!(sentence(&run), sentence(&check));
}

#[tokio::test]
async fn a_subscription_that_cannot_be_is_told_with_its_place_by_run_and_check() {
    let toml = "[messaging]\ndefault = \"memory\"\n[[messaging.subscriptions]]\n\
                topics = [\"a\", \"a.g.dead\"]\ngroup = \"g\"\nvisibility = \"500000000000y\"";
    for invocation in [run("messages-only"), check("messages-only")] {
        let error = invocation.toml(toml).refusal().await;
        for part in [
            "slight.toml:4:16: the topic \"a.g.dead\" is the dead-letter topic of \"a\"",
            "slight.toml:6:14: ",
            "it must be at most a year (366 days)",
        ] {
            assert!(error.contains(part), "{part:?} is missing in\n{error}");
        }
    }
}

#[tokio::test]
async fn a_duration_of_more_than_a_year_is_refused_also_in_the_settings_of_a_provider() {
    for toml in [
        "[limits]\ntimeout = \"500000000000y\"",
        "[limits]\ndrain-timeout = \"400d\"",
        "[providers.s3]\ntimeout = \"2y\"",
    ] {
        let error = run("kv").toml(toml).refusal().await;
        assert!(error.contains("slight.toml:2:") && error.contains("it must be at most a year (366 days)"), "{error}");
    }
    let app = run("kv").toml("[limits]\ntimeout = \"1y\"\nbackend-timeout = \"1y\"\n[key-value]\ndefault = \"memory\"");
    app.start().await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_folder_that_may_not_be_read_or_searched_is_refused_with_what_to_do() {
    use std::{fs, os::unix::fs::PermissionsExt, process::Command};
    let dir = tempfile::tempdir().unwrap();
    let (data, toml) = (dir.path().join("data"), dir.path().join("slight.toml"));
    fs::create_dir(&data).unwrap();
    fs::write(&toml, "component.files = [{ guest = \"/data\", host = \"data\" }]").unwrap();
    let test = std::env::current_exe().unwrap();
    let slight = test.ancestors().nth(2).unwrap().join("slight");
    for mode in [0o000, 0o300, 0o400] {
        fs::set_permissions(&data, fs::Permissions::from_mode(mode)).unwrap();
        for command in ["run", "check"] {
            // Root may read all, unless it gives that up.
            let is_root = fs::read_dir(&data).is_ok() && fs::metadata(data.join(".")).is_ok();
            let mut process = if is_root { Command::new("setpriv") } else { Command::new(&slight) };
            if is_root {
                let rights = "-dac_override,-dac_read_search";
                process.args(["--inh-caps", rights, "--bounding-set", rights]).arg(&slight);
            }
            let ended = process.args([command, "none.wasm", "-c"]).arg(&toml).output().unwrap();
            let error = String::from_utf8_lossy(&ended.stderr);
            assert_eq!(ended.status.code(), Some(1), "{mode:o}: {error}");
            for part in [":1:", "the host path \"data\" cannot be opened: ", "read and search the directory"] {
                assert!(error.contains(part), "{mode:o}: {part:?} is missing in\n{error}");
            }
        }
    }
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_named() {
    let toml = "[component]\nfiles = [{ guest = \"/data\", host = \"none\" }]";
    let error = run("cli").toml(toml).refusal().await;
    assert!(error.contains("none") && error.contains("slight.toml:2:"), "{error}");
    assert!(error.contains("make the directory, or correct the path"), "{error}");
}

#[tokio::test]
async fn a_route_to_a_type_without_a_section_is_corrected() {
    let error = run("kv").toml("[key-value]\nguestbook = \"rediss\"").refusal().await;
    for part in ["slight.toml:2:13: ", "did you mean \"redis\"?", "[providers.redis]", "guestbook = \"rediss\""] {
        assert!(error.contains(part), "{part:?} is missing in\n{error}");
    }
}

#[tokio::test]
async fn a_key_that_is_there_twice_is_named_and_shown() {
    let error = run("kv").toml("[key-value]\nusers = \"memory\"\nusers = \"hunter2\"\n").refusal().await;
    for part in ["slight.toml:3:1: ", "the key users is there twice", " 3 | users…"] {
        assert!(error.contains(part), "{part:?} is missing in\n{error}");
    }
    assert!(!error.contains("hunter2"), "{error}");
}

#[tokio::test]
async fn a_size_without_a_unit_is_told() {
    let error = run("kv").toml("limits = { memory = 256 }").refusal().await;
    assert!(error.contains("is 256 bytes") && error.contains("\"256MiB\""), "{error}");
    let error = run("kv").toml("limits = { memory = \"1KiB\" }").refusal().await;
    assert!(error.contains("at least \"64KiB\""), "{error}");
}

#[tokio::test]
async fn a_star_for_a_port_is_told() {
    let error = run("kv").toml("[component]\nhttp-outbound = [\"http://127.0.0.1:*\"]").refusal().await;
    assert!(error.contains("* is not possible for ports"), "{error}");
}

#[tokio::test]
async fn a_database_that_is_none_is_refused_in_plain_words() {
    for (kind, file) in [("redb", "data"), ("sled", "data/db")] {
        let toml = format!("[providers.f]\ntype = \"{kind}\"\npath = \"data\"\n[key-value]\n\"*\" = \"f\"");
        let error = run("kv").file(file, "x".repeat(100_000)).toml(&toml).refusal().await;
        assert!(error.contains("[providers.f]") && error.contains(&format!("is not a {kind} database")), "{error}");
    }
}

#[tokio::test]
async fn one_database_in_two_sections_is_refused_by_run_and_check() {
    for kind in ["redb", "sled"] {
        let section = |name: &str| format!("[providers.{name}]\ntype = \"{kind}\"\npath = \"data\"\n");
        let toml = section("a") + &section("b") + "[key-value]\na = \"a\"\nb = \"b\"";
        for invocation in [run("kv"), check("kv")] {
            let error = invocation.toml(&toml).refusal().await;
            assert!(error.contains("[providers.a] and [providers.b] have one database, "), "{error}");
        }
    }
}

#[tokio::test]
async fn a_database_that_another_has_open_is_told_in_plain_words() {
    for kind in ["redb", "sled"] {
        let app = run("kv");
        let path = app.path("data").display().to_string();
        let toml = format!("[providers.f]\ntype = \"{kind}\"\npath = \"{path}\"\n[key-value]\n\"*\" = \"f\"");
        let _app = app.toml(&toml).start().await;
        let error = run("kv").toml(&toml).refusal().await;
        assert!(error.contains("is open already"), "{error}");
        for foreign in ["Os {", "kind:", "Storage("] {
            assert!(!error.contains(foreign), "{error}");
        }
    }
}
