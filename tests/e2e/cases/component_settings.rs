//! What `[component]` gives to the guest: settings in all versions of `wasi:config`, and the environment.

use serde_json::json;
use slight_e2e::run;

const VERSIONS: [&str; 3] = ["config-rc1", "config-draft", "config-draft-2024-09-27"];

const SETTINGS: &str = r#"
[component]
config = { region = "eu", password = "${env:PASSWORD}", price = "$${5}", empty = "" }
"#;

#[tokio::test]
async fn settings_are_read_in_every_version_of_the_interface() {
    for guest in VERSIONS {
        let app = run(guest).toml(SETTINGS).env("PASSWORD", "hunter2").start().await;
        assert_eq!(app.get("/config/region").await.text(), "eu");
        assert_eq!(app.get("/config/password").await.text(), "hunter2");
        assert_eq!(app.get("/config/price").await.text(), "${5}");
        assert_eq!(app.get("/config/empty").await.text(), "");
        app.get("/config/none").await.refused(404);
        let all = json!({ "region": "eu", "password": "hunter2", "price": "${5}", "empty": "" });
        assert_eq!(app.get("/config").await.json(), all);
    }
}

#[tokio::test]
async fn without_settings_there_are_none() {
    for guest in VERSIONS {
        let app = run(guest).start().await;
        assert_eq!(app.get("/config").await.json(), json!({}));
        app.get("/config/region").await.refused(404);
    }
}

#[tokio::test]
async fn a_secret_from_a_file_loses_its_line_end() {
    let app = run("config-rc1")
        .file("secret.txt", "hunter2\n")
        .toml("component.config = { password = \"${file:secret.txt}\" }");
    assert_eq!(app.start().await.get("/config/password").await.text(), "hunter2");
}

#[tokio::test]
async fn a_secret_is_in_no_log_however_detailed() {
    let app = run("config-rc1").toml(SETTINGS).env("PASSWORD", "hunter2").env("SLIGHT_LOG", "trace").start().await;
    app.get("/config/region").await.text();
    let ended = app.stop().await;
    assert!(!ended.stderr.contains("hunter2"), "{}", ended.stderr);
}

#[tokio::test]
async fn an_http_guest_has_variables_files_and_standard_streams() {
    let toml = "[component]\nenv = { GREETING = \"hello\" }\nfiles = [{ guest = \"/data\", host = \"data\", read-only = true }]";
    let app =
        run("misbehave").file("data/in.txt", "from the host").toml(toml).arg("--env").arg("MORE=yes").start().await;
    assert_eq!(app.get("/env").await.json(), json!({ "GREETING": "hello", "MORE": "yes" }));
    assert_eq!(app.get("/read?path=/data/in.txt").await.text(), "from the host");
    app.get("/read?path=/etc/hostname").await.error();
    assert_eq!(app.get("/stdout?text=to+stdout").await.text(), "ok");
    assert_eq!(app.get("/stderr?text=to+stderr").await.text(), "ok");
    app.wait_for_stdout("to+stdout").await;
    app.wait_for_log("to+stderr").await;
    assert!(!app.stdout().contains("to+stderr"));
}
