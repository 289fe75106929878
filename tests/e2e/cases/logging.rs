//! `wasi:logging` into the log, and the log itself.

use std::{
    fs::OpenOptions,
    io,
    net::SocketAddr,
    process::{Command, Stdio},
};

use futures_util::future::join_all;
use http::Method;
use serde_json::Value;
use slight_e2e::{Connection, binary, cache, empty, eventually, guest, run, slight};

#[tokio::test]
async fn what_the_guest_logs_is_in_the_log_with_its_level_and_context() {
    let app = run("logging").env("SLIGHT_LOG", "info,guest=trace").start().await;
    for (level, shown) in [
        ("trace", "TRACE"),
        ("debug", "DEBUG"),
        ("info", "INFO"),
        ("warn", "WARN"),
        ("error", "ERROR"),
        ("critical", "ERROR"),
    ] {
        let message = format!("a message of level {level}");
        assert_eq!(app.post(&format!("/log/{level}?context=till"), message.clone()).await.text(), "ok");
        let line = app.wait_for_log(&message).await;
        for part in [shown, "guest", "till"] {
            assert!(line.contains(part), "{part} is missing in {line}");
        }
        assert_eq!(line.contains("critical"), level == "critical", "{line}");
    }
    assert_eq!(app.stdout(), "", "the log is on the standard error");
}

#[tokio::test]
async fn details_are_logged_only_where_they_are_asked_for() {
    let app = run("logging").start().await;
    app.post("/log/debug", "a detail").await.text();
    app.post("/log/info", "a piece of news").await.text();
    app.wait_for_log("a piece of news").await;
    assert!(!app.log().contains("a detail"));
}

#[tokio::test]
async fn each_request_has_a_line_at_its_end_where_it_is_asked_for() {
    let app = run("misbehave").env("SLIGHT_LOG", "slight=info,slight_runtime::http=debug").start().await;
    app.get("/status/418?secret=hunter2").await.refused(418);
    let line = app.wait_for_log("request ended").await;
    for part in ["DEBUG", "method=GET", "path=\"/status/418\"", "status=418", "duration_ms="] {
        assert!(line.contains(part), "{part} is missing in {line}");
    }
    assert!(!app.log().contains("hunter2"));
    app.post("/digest", "").await.text();
    assert!(app.wait_for_log("path=\"/digest\"").await.contains("method=POST"));

    let quiet = run("misbehave").start().await;
    assert_eq!(quiet.get("/ok").await.text(), "ok");
    assert!(!quiet.stop().await.stderr.contains("request ended"));
}

#[tokio::test]
async fn what_a_guest_writes_to_its_error_stream_is_in_the_log_line_by_line() {
    let app = run("misbehave").start().await;
    // `%0A` ends a line: what follows must not pass for an entry of the host.
    assert_eq!(app.get("/stderr?text=first%20line%0AERROR%20slight:%20two").await.text(), "ok");
    for part in ["first line", "ERROR slight: two"] {
        let line = app.wait_for_log(part).await;
        let says_who = line.contains(" instance=") && line.trim_end().ends_with("serving=\"GET /stderr\"");
        assert!(line.contains(&format!("WARN guest: {part}")) && says_who, "{line}");
    }
}

#[tokio::test]
async fn escape_sequences_of_a_guest_do_not_reach_the_terminal() {
    let app = run("logging").start().await;
    app.post("/log/info?context=%1B[2J", "\x1b[31mred").await.text();
    app.wait_for_log("red").await;
    assert!(!app.log().contains('\x1b'), "{:?}", app.log());
}

#[tokio::test]
async fn control_characters_of_a_guest_cannot_imitate_an_entry() {
    let app = run("logging").start().await;
    app.post("/log/info", "one\r2030-01-01 ERROR slight: two\0three\tfour").await.text();
    let line = app.wait_for_log("three").await;
    assert!(line.contains("one\\r2030-01-01 ERROR slight: two\\x00three\tfour"), "{line:?}");

    let app = run("misbehave").start().await;
    assert_eq!(app.get("/stderr?text=one%0Dtwo%00three").await.text(), "ok");
    let line = app.wait_for_log("three").await;
    assert!(line.contains("one\\rtwo\\x00three"), "{line:?}");
}

#[tokio::test]
async fn a_message_that_is_far_too_long_is_cut() {
    let app = run("logging").start().await;
    assert_eq!(app.post("/log/info?context=till", "x".repeat(1 << 20)).await.text(), "ok");
    let line = app.wait_for_log("xxx").await;
    assert!(line.len() < 66_000 && line.contains("983040 more bytes are left out"), "{} bytes", line.len());
    assert!(line.contains("till"));
}

#[tokio::test]
async fn a_guest_that_floods_the_log_is_cut_short_and_others_are_heard() {
    let app = run("host-calls").toml("blob.default = \"memory\"\nlimits = { log-lines = 100 }").start().await;
    let other = async {
        app.wait_for_log("similar log entries suppressed").await;
        app.get("/loop/log?bytes=33&ms=0").await.text()
    };
    let (flood, _) = tokio::join!(app.get("/loop/log?bytes=77&ms=1500"), other);
    let said: u64 = flood.text().split(' ').next().unwrap().parse().unwrap();
    let heard = app.log().lines().filter(|line| line.contains(&"x".repeat(77))).count();
    assert!(said > 1000 && heard < 500, "{heard} of {said}");
    assert!(app.log().contains(&format!("guest: {} ", "x".repeat(33))), "{}", app.log());
}

#[tokio::test]
async fn guests_that_flood_their_error_streams_end_neither_each_other_nor_the_log() {
    let app = run("host-calls").toml("blob.default = \"memory\"\nlimits = { log-lines = 100 }").start().await;
    for flood in join_all((0..4).map(|_| app.get("/loop/stderr?ms=1500"))).await {
        flood.text();
    }
    app.wait_for_log("similar log entries suppressed").await;
    let heard = app.log().lines().filter(|line| line.contains("a line that says nothing")).count();
    assert!((1..1000).contains(&heard), "{heard} lines");
}

#[tokio::test]
async fn a_log_of_json_has_an_object_a_line() {
    let app = run("logging").arg("--log-format").arg("json").start().await;
    app.post("/log/warn?context=till", "a \"quoted\" message\nof two lines").await.text();
    let line = app.wait_for_log("quoted").await;
    let entry: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(entry["level"], "WARN");
    assert_eq!(entry["message"], "a \"quoted\" message\nof two lines");
    assert_eq!(entry["context"], "till");
    let ended = app.stop().await;
    for line in ended.stderr.lines() {
        assert!(serde_json::from_str::<Value>(line).is_ok_and(|entry| entry.is_object()), "{line}");
    }
}

#[tokio::test]
async fn a_log_of_json_has_what_guests_write_as_objects_too() {
    let app = run("misbehave").arg("--log-format").arg("json").start().await;
    assert_eq!(app.get("/stderr?text=in+pieces").await.text(), "ok");
    let entry: Value = serde_json::from_str(&app.wait_for_log("pieces").await).unwrap();
    assert_eq!(entry["target"], "guest");
    app.get("/trap").await.refused(500);
    app.wait_for_log("asked to trap").await;
    for line in app.stop().await.stderr.lines() {
        assert!(serde_json::from_str::<Value>(line).is_ok_and(|entry| entry.is_object()), "{line}");
    }
}

#[tokio::test]
async fn every_part_of_the_filter_that_is_not_understood_is_said_and_ignored() {
    let app = run("hello-http").env("SLIGHT_LOG", "slight=loud,slight=info,debgu").start().await;
    for part in ["slight=loud", "debgu"] {
        app.wait_for_log(&format!("\"{part}\" in SLIGHT_LOG is not understood")).await;
    }
    let app = run("hello-http").env("SLIGHT_LOG", "verbose").start().await;
    let ended = app.stop().await;
    assert_eq!(ended.stderr.matches("in SLIGHT_LOG is not understood").count(), 1, "{}", ended.stderr);
}

#[tokio::test]
async fn the_log_has_no_colours_where_it_is_no_terminal() {
    let app = run("hello-http").start().await;
    assert!(!app.stop().await.stderr.contains('\x1b'));
    assert!(!slight(["run", "none.wasm"]).refusal().await.contains('\x1b'));
}

/// Serves with a log that goes nowhere, fails often, and ends.
async fn serve_and_end(log: Stdio) {
    let address = SocketAddr::from(([127, 0, 0, 1], slight_services::free_port()));
    let mut slight = Command::new(binary());
    slight.arg("run").arg(guest("misbehave")).args(["--listen", &address.to_string()]);
    slight.env("XDG_CACHE_HOME", cache()).stdout(Stdio::null()).stderr(log);
    let mut slight = slight.spawn().unwrap();
    eventually("a server", async || tokio::net::TcpStream::connect(address).await.ok()).await;

    let mut connection = Connection::http1(address).await;
    for _ in 0..500 {
        connection.fetch(Method::GET, "/trap", empty()).await.refused(500);
    }
    assert_eq!(connection.fetch(Method::GET, "/ok", empty()).await.text(), "ok");

    let terminated = Command::new("kill").arg(slight.id().to_string()).status().unwrap();
    assert!(terminated.success());
    let ended = eventually("the end", async || slight.try_wait().unwrap()).await;
    assert_eq!(ended.code(), Some(0));
}

#[tokio::test]
async fn a_log_that_nobody_reads_holds_up_nobody() {
    let (reader, log) = io::pipe().unwrap();
    serve_and_end(log.into()).await;
    drop(reader);
}

#[tokio::test]
async fn a_log_whose_reader_is_gone_ends_nothing() {
    let (_, log) = io::pipe().unwrap();
    serve_and_end(log.into()).await;
}

#[tokio::test]
async fn a_log_on_a_full_disk_ends_nothing() {
    serve_and_end(OpenOptions::new().write(true).open("/dev/full").unwrap().into()).await;
}
