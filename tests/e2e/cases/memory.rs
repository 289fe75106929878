//! The memory of the whole process.

use futures_util::future::join_all;
use slight_e2e::{Running, check, eventually, run};

use crate::support::MIB;

const HALF_A_GIBIBYTE: &str = "blob.default = \"memory\"\nlimits.total-memory = \"512MiB\"\nlimits.memory = \"512MiB\"";
/// Takes seven eighths of it: beside that nothing begins.
const HOLD_ALL: &str = "/hold?bytes=469762048";

async fn is_well_again(app: &Running) {
    eventually("room for a request", async || (app.get("/ok").await.status == 200).then_some(())).await;
}

#[tokio::test]
async fn requests_beyond_the_memory_of_the_process_are_turned_away_and_later_served() {
    let app = run("host-calls").toml(&format!("{HALF_A_GIBIBYTE}\nlimits.queue = 0")).start().await;
    let path = format!("{HOLD_ALL}&ms=4000");
    let holds = app.get(&path);
    let turned_away = async {
        let refused = async || {
            let answer = app.get("/ok").await;
            (answer.status == 503).then(|| answer.refused(503))
        };
        let text = eventually("a request that is turned away", refused).await;
        assert!(text.contains("Try again"), "{text}");
        app.wait_for_log("GET /ok was answered with 503: limits.total-memory is used up").await;
    };
    let (held, ()) = tokio::join!(holds, turned_away);
    assert_eq!(held.text(), "469762048");
    is_well_again(&app).await;
}

#[tokio::test]
async fn requests_wait_for_memory_in_the_queue() {
    let app = run("host-calls").toml(HALF_A_GIBIBYTE).start().await;
    let first = format!("{HOLD_ALL}&ms=1000");
    // Two of them have no room beside each other, and the second begins when the first has taken it.
    let (first, second) = tokio::join!(app.get(&first), async {
        let full = async || (app.peak_memory() > 450 * MIB).then_some(());
        eventually("a request that has the memory", full).await;
        app.get("/hold?bytes=104857600&ms=0").await
    });
    assert_eq!((first.text().as_str(), second.text().as_str()), ("469762048", "104857600"));
}

#[tokio::test]
async fn memory_does_not_grow_beyond_that_of_the_process() {
    let app = run("misbehave").toml("limits = { total-memory = \"128MiB\" }").start().await;
    app.get("/eat?mib=200").await.refused(500);
    app.wait_for_log("limits.total-memory is 134217728").await;
    let answers = join_all((0..16).map(|_| app.get("/eat?mib=40"))).await;
    assert!(answers.iter().any(|answer| answer.status == 200), "{answers:?}");
    // Those for whom others left nothing would have had it alone.
    answers.into_iter().filter(|answer| answer.status != 200).for_each(|answer| _ = answer.refused(503));
    // The program itself, which the system can drop, is beside it.
    assert!(app.peak_memory() < (128 + 96) * MIB, "{} MiB", app.peak_memory() / MIB);
    is_well_again(&app).await;
    assert_eq!(app.get("/eat?mib=40").await.text(), "40");
}

#[tokio::test]
async fn what_was_large_for_a_moment_is_given_back() {
    let app = run("host-calls").toml("key-value.default = \"memory\"\nblob.default = \"memory\"").start().await;
    let calls = join_all((0..4).map(|_| app.get("/loop/message?bytes=30000000&ms=500"))).await;
    calls.into_iter().for_each(|answer| _ = answer.text());
    let given_back = async || (app.memory() < 160 * MIB).then_some(());
    eventually("memory that is given back", given_back).await;
}

#[tokio::test]
async fn the_memory_that_there_is_is_shown() {
    let app = run("hello-http").start().await;
    let line = app.wait_for_log("(limits.total-memory)").await;
    assert!(line.contains("75% of the"), "{line}");
    let shown = check("hello-http").toml("limits = { total-memory = \"1GiB\" }").end().await.stdout;
    assert!(shown.contains("total-memory  1024 MiB"), "{shown}");
}
