//! What of a component's exports runs, and in which versions they may be.

use slight_e2e::{check, patched, run, slight};

#[tokio::test]
async fn a_handler_runs_by_default_and_the_command_beside_it_does_not() {
    // It would trap, and end the server.
    let app = run("both-p3").start().await;
    app.wait_for_log("has a command as well, which does not run beside handlers; --trigger command runs it").await;
    for _ in 0..3 {
        assert_eq!(app.get("/").await.text(), "");
    }
    assert_eq!(app.stop().await.code, Some(0));
}

#[tokio::test]
async fn the_command_runs_alone_where_it_is_chosen() {
    let ended = run("both-p3").arg("--trigger").arg("command").guest_args(["succeed"]).end().await;
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    let ended = run("both-p3").toml("component.triggers = [\"command\"]").guest_args(["succeed"]).end().await;
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    let ended = run("both-p3").arg("--trigger").arg("command").end().await;
    assert!(ended.code == Some(1) && ended.stderr.contains("the component failed"), "{ended:?}");
}

#[tokio::test]
async fn both_run_where_both_are_chosen() {
    let both = || run("both-p3").arg("--trigger").arg("http").arg("--trigger").arg("command");
    let app = both().guest_args(["succeed"]).start().await;
    assert_eq!(app.get("/").await.text(), "");
    assert_eq!(app.stop().await.code, Some(0));
    let ended = both().end().await;
    assert!(ended.code == Some(1) && ended.stderr.contains("the component failed"), "{ended:?}");
}

#[tokio::test]
async fn the_command_line_chooses_in_place_of_the_file() {
    let app = run("both-p3").toml("component.triggers = [\"command\"]").arg("--trigger").arg("http").start().await;
    assert_eq!(app.get("/").await.text(), "");
}

#[tokio::test]
async fn a_message_handler_that_is_not_chosen_may_have_subscriptions() {
    let toml = "key-value.default = \"memory\"\n[messaging]\ndefault = \"memory\"\n\
                [[messaging.subscriptions]]\ntopics = [\"t\"]\ngroup = \"g\"";
    let app = run("messaging").toml(toml).arg("--trigger").arg("http").start().await;
    app.wait_for_log("has a handler for messaging as well, which was not chosen").await;
    // Without any, it need not be left out of the file.
    run("messaging").toml("").arg("--trigger").arg("http").start().await.stop().await;
}

#[tokio::test]
async fn check_says_what_would_run_and_what_would_not() {
    let ended = check("both-p3").arg("--listen").arg("127.0.0.1:0").end().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for part in ["http://127.0.0.1:0/", "does not run: handlers go first; --trigger command runs it"] {
        assert!(ended.stdout.contains(part), "{part:?} is missing in {}", ended.stdout);
    }
    let ended = check("both-p3").arg("--trigger").arg("command").end().await;
    for part in ["once, at the start", "does not run: not chosen; --trigger http runs it"] {
        assert!(ended.stdout.contains(part), "{part:?} is missing in {}", ended.stdout);
    }
}

#[tokio::test]
async fn commands_of_every_patch_run() {
    for (name, built, version) in
        [("cli-p3", "@0.3.2", "@0.3.0"), ("cli-p3", "@0.3.2", "@0.3.9"), ("cli", "@0.2.0", "@0.2.9")]
    {
        let command = slight(["run", "app.wasm"]).file("app.wasm", patched(name, built, version));
        let ended = command.guest_args(["args", "one"]).end().await;
        assert_eq!(ended.code, Some(0), "{name} {version}: {ended:?}");
        assert!(ended.stdout.ends_with("one\n"), "{name} {version}: {ended:?}");
    }
}

#[tokio::test]
async fn http_handlers_of_every_patch_run() {
    for (name, built, version) in [
        ("hello-http-p3", "@0.3.2", "@0.3.0"),
        ("hello-http-p3", "@0.3.2", "@0.3.9"),
        ("hello-http", "handler@0.2.12", "handler@0.2.99"),
    ] {
        let app = slight(["run", "app.wasm"]).file("app.wasm", patched(name, built, version)).serving().start().await;
        assert_eq!(app.get("/").await.text(), "hello", "{name} {version}");
    }
}
