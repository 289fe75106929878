//! What a guest does wrong: its own request fails with a clear answer, and nobody else notices.

use std::thread::available_parallelism;

use bytes::Bytes;
use futures_util::future::join_all;
use http::Method;
use slight_e2e::{Connection, Running, empty, eventually, run};

use crate::support::{hand_written, next};

/// Long enough for the requests beside the one that fails, on a busy machine too.
const SHORT: &str = "key-value = { default = \"memory\" }\nlimits = { timeout = \"3s\" }";

async fn is_well(app: &Running) {
    assert_eq!(app.get("/ok").await.text(), "ok");
    assert!(app.is_alive());
}

/// Runs a failing request beside ten that must not notice.
async fn beside_others(app: &Running, path: &str) -> slight_e2e::Answer {
    let others = join_all((0..10).map(|_| app.get("/ok")));
    let (answer, others) = tokio::join!(app.get(path), others);
    for other in others {
        assert_eq!(other.text(), "ok");
    }
    is_well(app).await;
    answer
}

#[tokio::test]
async fn a_trap_is_answered_with_500_and_named_in_the_log() {
    let app = run("misbehave").start().await;
    let text = beside_others(&app, "/trap").await.refused(500);
    assert!(text.contains("component failed") && text.contains("log"), "{text}");
    let line = app.wait_for_log("GET /trap was answered with 500").await;
    assert!(line.contains("unreachable"), "the log must name the trap: {line}");
}

#[tokio::test]
async fn a_trap_in_the_middle_of_a_response_cuts_it_and_is_logged() {
    let app = run("misbehave").start().await;
    let mut connection = app.connect().await;
    // Whether the head is out by then is a matter of time.
    if let Ok(response) = connection.try_send(Method::GET, "/trap-midway", empty()).await {
        let body = http_body_util::BodyExt::collect(response.into_body()).await;
        assert!(body.is_err(), "a part must not look like the whole");
    }
    let line = app.wait_for_log("the response to GET /trap-midway was cut off").await;
    assert!(line.contains("unreachable"), "the log must name the trap: {line}");
    is_well(&app).await;
}

#[tokio::test]
async fn no_response_is_answered_with_500() {
    let app = run("misbehave").start().await;
    let text = beside_others(&app, "/noresponse").await.refused(500);
    assert!(text.contains("gave no response"), "{text}");
    app.wait_for_log("GET /noresponse was answered with 500").await;
}

#[tokio::test]
async fn an_endless_loop_ends_at_the_timeout() {
    let app = run("misbehave").toml(SHORT).start().await;
    let text = beside_others(&app, "/loop").await.refused(500);
    assert!(text.contains("within 3s (limits.timeout)"), "{text}");
    app.wait_for_log("limits.timeout").await;
}

#[tokio::test]
async fn endless_loops_on_every_core_keep_nobody_from_being_served() {
    let loops = 2 * available_parallelism().unwrap().get() + 4;
    // Room for the loops and one more. None of them ends before the test does.
    let toml = format!("limits = {{ concurrency = {}, queue = 0, timeout = \"1h\" }}", loops + 1);
    let app = run("misbehave").toml(&toml).start().await;
    let (pieces, body) = hand_written();
    let mut connection = app.connect().await;
    pieces.send(Bytes::from_static(b"begun")).await.unwrap();
    let mut echo = connection.send(Method::POST, "/echo", body).await.into_body();
    assert_eq!(next(&mut echo).await.unwrap(), "begun");
    let loops = join_all((0..loops).map(|_| app.get("/loop")));
    let others = async {
        let probe = async || (app.get("/ok").await.status == 503).then_some(());
        eventually("loops in every place", probe).await;
        // One that runs already goes on, and others begin in its place.
        pieces.send(Bytes::from_static(b"and goes on")).await.unwrap();
        assert_eq!(next(&mut echo).await.unwrap(), "and goes on");
        drop(pieces);
        assert_eq!(next(&mut echo).await, None);
        for _ in 0..5 {
            eventually("an answer", async || (app.get("/ok").await.status == 200).then_some(())).await;
        }
    };
    tokio::select! {
        ended = loops => panic!("a loop has ended: {ended:?}"),
        () = others => {}
    }
}

#[tokio::test]
async fn a_sleep_ends_at_the_timeout() {
    let app = run("misbehave").toml(SHORT).start().await;
    let text = beside_others(&app, "/sleep?ms=600000").await.refused(500);
    assert!(text.contains("limits.timeout"), "{text}");
}

#[tokio::test]
async fn a_response_that_never_ends_is_cut_at_the_timeout() {
    let app = run("misbehave").toml(SHORT).start().await;
    let mut connection = app.connect().await;
    let response = connection.send(Method::GET, "/slow?chunks=100000&ms=50", empty()).await;
    let body = http_body_util::BodyExt::collect(response.into_body());
    let body = slight_e2e::within("the end of the response", body).await;
    assert!(body.is_err(), "a part must not look like the whole");
    is_well(&app).await;
}

#[tokio::test]
async fn memory_beyond_the_limit_is_refused_and_the_log_says_so() {
    let app = run("misbehave").toml("limits = { memory = \"16MiB\" }").start().await;
    assert_eq!(app.get("/eat?mib=8").await.text(), "8");
    beside_others(&app, "/eat?mib=64").await.refused(500);
    app.wait_for_log("limits.memory").await;
}

#[tokio::test]
async fn memory_is_limited_by_default() {
    let app = run("misbehave").start().await;
    assert_eq!(app.get("/eat?mib=200").await.text(), "200");
    app.get("/eat").await.refused(500);
    is_well(&app).await;
}

#[tokio::test]
async fn a_guest_with_ten_thousand_handles_is_told_to_drop_some() {
    let app = run("misbehave").start().await;
    let error = beside_others(&app, "/handles?count=10000").await.error();
    assert!(error.contains("limits.handles"), "{error}");
    assert_eq!(app.get("/handles?count=500").await.text(), "500");
}

#[tokio::test]
async fn no_backtrace_of_the_host_is_shown_even_where_the_environment_asks_for_them() {
    let app = run("misbehave").env("RUST_BACKTRACE", "1").start().await;
    app.get("/trap").await.refused(500);
    app.wait_for_log("GET /trap was answered with 500").await;
    is_well(&app).await;
    app.stop().await;
    let ended = run("cli").env("RUST_BACKTRACE", "1").guest_args(["trap"]).end().await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
}

#[tokio::test]
async fn the_lines_of_a_guest_and_of_its_failure_name_one_instance() {
    let app = run("misbehave").start().await;
    app.get("/trap").await.refused(500);
    let (said, failed) = (app.wait_for_log("asked to trap").await, app.wait_for_log("was answered with 500").await);
    let instance = |line: &str| line.rsplit_once(" instance=").unwrap().1.split_whitespace().next().unwrap().to_owned();
    assert_eq!(instance(&said), instance(&failed), "{said}{failed}");
}

#[tokio::test]
async fn an_instance_that_did_not_respond_is_not_used_again() {
    let app = run("misbehave").toml("http = { reuse = { requests = 100 } }").start().await;
    let mut connection = app.connect().await;
    for _ in 0..3 {
        assert_eq!(connection.fetch(Method::GET, "/count", empty()).await.text(), "1");
        connection.fetch(Method::GET, "/noresponse", empty()).await.refused(500);
    }
}

#[tokio::test]
async fn a_guest_that_goes_on_although_its_client_left_is_not_blamed_for_the_response() {
    let app = run("misbehave").toml("limits = { timeout = \"5s\", concurrency = 1, queue = 0 }").start().await;
    // Over HTTP/1 one that left cannot be told from one that sends no more.
    loop {
        let mut connection = Connection::http2(app.address()).await;
        // For longer than `/ok` itself has it after its response.
        let is_held = async || {
            for _ in 0..10 {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                if app.get("/ok").await.status != 503 {
                    return None;
                }
            }
            Some(())
        };
        let held = eventually("a loop that has the only place", is_held);
        tokio::select! {
            // Another had the place just then.
            answer = connection.try_send(Method::GET, "/loop", empty()) => assert_eq!(answer.unwrap().status(), 503),
            () = held => break,
        }
    }
    let line = app.wait_for_log("the client of GET /loop left, and the component went on").await;
    assert!(line.contains("limits.timeout"), "{line}");
    assert!(!app.log().contains("was cut off"), "{}", app.log());
}
