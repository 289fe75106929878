//! Two processes on one server.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use http::Method;
use serde_json::json;
use slight_e2e::{Running, empty, eventually, full, guest, run, slight};
use slight_services::{Server, present};

use crate::servers::{Backend, on_every_server};

on_every_server! {
    processes_see_each_others_writes
    racing_increments_of_two_processes_lose_none
    racing_swaps_of_two_processes_lose_none
    two_processes_of_one_group_share_its_messages_and_lose_none
    what_a_process_had_not_begun_is_with_the_next_at_once
}

const TASKS: usize = 8;

/// Two processes with the same configuration, and the server that must outlive them.
async fn two_processes(backend: &Backend) -> Option<([Running; 2], Server)> {
    let server = present(backend.start())?;
    let start = async || run("kv").toml(&backend.toml(&server, "")).start().await;
    Some(([start().await, start().await], server))
}

async fn processes_see_each_others_writes(backend: &Backend) {
    let Some(([one, other], _server)) = two_processes(backend).await else { return };
    for number in 0..10 {
        let (writer, reader) = if number % 2 == 0 { (&one, &other) } else { (&other, &one) };
        assert_eq!(writer.put("/kv/b/k", number.to_string()).await.text(), "ok");
        assert_eq!(reader.get("/kv/b/k").await.text(), number.to_string());
    }
    assert_eq!(other.get("/list-all/b").await.json()["keys"], json!(["k"]));
    assert_eq!(one.delete("/kv/b/k").await.text(), "ok");
    other.get("/kv/b/k").await.refused(404);
}

/// Sends a request again and again from many tasks to each of the processes.
async fn race(apps: &[Running; 2], turns: usize, path: &str, body: impl Fn(usize) -> String) {
    let tasks = (0..2 * TASKS).map(async |task| {
        let mut connection = apps[task % 2].connect().await;
        for _ in 0..turns {
            connection.fetch(Method::POST, path, full(body(task))).await.text();
        }
    });
    join_all(tasks).await;
}

async fn racing_increments_of_two_processes_lose_none(backend: &Backend) {
    let Some((apps, _server)) = two_processes(backend).await else { return };
    race(&apps, 50, "/increment/b/n", |_| String::new()).await;
    for app in &apps {
        assert_eq!(app.get("/kv/b/n").await.text(), (2 * TASKS * 50).to_string());
    }
}

async fn racing_swaps_of_two_processes_lose_none(backend: &Backend) {
    let Some((apps, _server)) = two_processes(backend).await else { return };
    let letter = |task: usize| char::from(b'a' + task as u8);
    race(&apps, 10, "/append/b/log", |task| letter(task).to_string()).await;
    let mut log: Vec<char> = apps[0].get("/kv/b/log").await.text().chars().collect();
    log.sort_unstable();
    let expected: Vec<char> = (0..2 * TASKS).flat_map(|task| [letter(task); 10]).collect();
    assert_eq!(log, expected);
}

/// What a process has written so far, without a line that has not ended.
fn whole_lines(app: &Running) -> Vec<String> {
    app.stdout().split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')).map(str::to_owned).collect()
}

async fn two_processes_of_one_group_share_its_messages_and_lose_none(backend: &Backend) {
    const LEAST: usize = 100;
    let Some(server) = present(backend.start()) else { return };
    let toml = backend.toml(&server, "subscriptions = [{ topics = [\"work\"], group = \"workers\" }]");
    let worker = || slight(["run"]).arg(guest("messages-only")).toml(&toml).spawn();
    let workers = [worker(), worker()];
    for worker in &workers {
        worker.wait_for_log("receiving the messages").await;
    }
    let elsewhere = backend.toml(&server, "subscriptions = [{ topics = [\"elsewhere\"], group = \"nobody\" }]");
    let sender = run("messaging").toml(&elsewhere).start().await;
    let mut connection = sender.connect().await;

    let mut sent = BTreeSet::new();
    while sent.len() < LEAST || workers.iter().any(|worker| worker.stdout().is_empty()) {
        let text = format!("message-{}", sent.len());
        assert!(sent.len() < 100 * LEAST, "one of the workers gets nothing");
        assert_eq!(connection.fetch(Method::POST, "/send/work", full(text.clone())).await.text(), "ok");
        sent.insert(format!("work {text}"));
    }
    let received = eventually("every message", async || {
        let received: Vec<String> = workers.iter().flat_map(whole_lines).collect();
        (received.len() >= sent.len()).then_some(received)
    })
    .await;
    assert_eq!(received.len(), sent.len(), "each once");
    assert_eq!(received.into_iter().collect::<BTreeSet<_>>(), sent);
    assert_eq!(connection.fetch(Method::GET, "/received", empty()).await.json(), json!({}), "the sender got none");
}

async fn what_a_process_had_not_begun_is_with_the_next_at_once(backend: &Backend) {
    const OTHERS: usize = 50;
    let Some(server) = present(backend.start()) else { return };
    // Leases that end by themselves would end too late.
    let subscription = "subscriptions = [{ topics = [\"t\"], group = \"g\", visibility = \"10m\" }]";
    let toml = backend.toml(&server, subscription).replace("limits = { ", "limits = { concurrency = 1, ");
    let app = run("messaging").toml(&toml).start().await;
    app.post("/send/t?meta-id=slow&meta-do=sleep:2000", "x").await.text();
    eventually("the slow one", async || (app.get("/deliveries/slow").await.status == 200).then_some(())).await;
    app.post(&format!("/send/t?times={OTHERS}"), "x").await.text();
    assert_eq!(app.stop().await.code, Some(0));

    let next = run("messaging").toml(&toml).start().await;
    eventually("all that is left", async || {
        let all = next.get("/received").await.json();
        (all.as_object()?.len() == OTHERS + 1).then_some(())
    })
    .await;
}
