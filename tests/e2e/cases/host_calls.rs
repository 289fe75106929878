//! Calls of the host whose work grows with their arguments: they neither hold up others nor outlive their time.

use std::{
    env,
    pin::pin,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use http::Method;
use slight_e2e::{Running, empty, run};

const TOML: &str = "key-value.default = \"memory\"\nblob.default = \"memory\"";

/// Calls that are as large as they may be, or whose work is the most.
const CALLS: [(&str, &str); 18] = [
    ("random.get-random-bytes", "random?bytes=33554432"),
    ("insecure.get-insecure-random-bytes", "insecure-random?bytes=33554432"),
    ("poll.poll", "poll?count=1000"),
    ("bucket.get", "get?bytes=8388608"),
    ("bucket.set", "set?bytes=67000000"),
    ("store.open", "open?bytes=67000000"),
    ("bucket.list-keys", "list-keys?count=100000"),
    ("batch.set-many", "set-many?count=1000000"),
    ("batch.get-many", "get-many?count=1000000"),
    ("batch.delete-many", "delete-many?count=1000000"),
    ("container.delete-objects", "delete-objects?count=1000000"),
    ("message.new, message.data", "message?bytes=67000000"),
    ("message.set-metadata, message.metadata", "metadata?count=700000"),
    ("logging.log", "log?bytes=67000000"),
    ("output-stream.blocking-write-and-flush", "write?bytes=4096"),
    ("fields.from-list, fields.entries", "fields?count=1000"),
    ("outgoing-request.set-path-with-query", "path?bytes=67000000"),
    ("environment.get-environment", "environment?"),
];

/// The longest that a small request took while these calls were made; how each of them ended, and when.
async fn beside(app: &Running, guests: usize, call: &str) -> (Duration, Vec<(u16, Duration)>) {
    let path = format!("/loop/{call}");
    let mut bad = pin!(join_all((0..guests).map(async |_| {
        let start = Instant::now();
        (app.get(&path).await.status.as_u16(), start.elapsed())
    })));
    let mut connection = app.connect().await;
    let mut longest = Duration::ZERO;
    loop {
        let start = Instant::now();
        tokio::select! {
            ended = &mut bad => return (longest, ended),
            answer = connection.fetch(Method::GET, "/ok", empty()) => assert_eq!(answer.text(), "ok"),
        }
        longest = longest.max(start.elapsed());
    }
}

#[tokio::test]
async fn four_guests_in_long_calls_hold_up_nobody_and_end_in_time() {
    let app = run("host-calls").toml(&format!("{TOML}\nlimits.timeout = \"2s\"")).start().await;
    for call in ["random?bytes=33554432", "set-many?count=300000"] {
        let (longest, ended) = beside(&app, 4, call).await;
        // Some hundredths of a second where nothing else runs.
        assert!(longest < Duration::from_secs(3), "{call} held up others for {longest:?}");
        for (status, time) in ended {
            assert!(status == 500 && time < Duration::from_millis(3500), "{call} ended with {status} after {time:?}");
        }
    }
}

#[tokio::test]
async fn a_call_beyond_its_bound_ends_the_guest_and_names_the_limit() {
    let app = run("host-calls").toml(&format!("{TOML}\nlimits.returned = \"4MiB\"")).start().await;
    for (call, limit) in [
        ("random?bytes=4194305", "limits.returned"),
        ("insecure-random?bytes=4294967295", "limits.returned"),
        ("poll?count=1000000", "limits.handles"),
        ("set?bytes=80000000", "limits.passed"),
        ("set-many?count=2000000", "limits.passed"),
    ] {
        app.get(&format!("/loop/{call}")).await.refused(500);
        let line = app.wait_for_log(limit).await;
        assert!(line.contains("was answered with 500"), "{line}");
        assert_eq!(app.get("/ok").await.text(), "ok");
    }
    assert_eq!(app.get("/loop/random?bytes=4194304&ms=0").await.text(), "1 calls: 4194304");
    assert_eq!(app.get("/loop/poll?count=1000&ms=0").await.text(), "1 calls: 1000");
}

/// What `docs/host-calls.md` shows: each call by one guest on one thread, and by four on all.
#[tokio::test]
async fn the_longest_waits_beside_each_call_are_measured_where_that_is_asked_for() {
    if env::var_os("SLIGHT_TEST_HOST_CALLS").is_none() {
        return;
    }
    let toml = format!("{TOML}\nlimits.timeout = \"3s\"");
    println!("| function | asked for | one guest, one thread | four guests, all threads |\n| --- | --- | --- | --- |");
    for (function, call) in CALLS {
        let one = run("host-calls").env("TOKIO_WORKER_THREADS", "1").toml(&toml).start().await;
        let (alone, _) = beside(&one, 1, call).await;
        let all = run("host-calls").toml(&toml).start().await;
        let (four, _) = beside(&all, 4, call).await;
        let asked = call.split_once('?').map_or("", |(_, asked)| asked);
        println!("| `{function}` | {asked} | {} ms | {} ms |", alone.as_millis(), four.as_millis());
    }
}
