//! A message that no handler saw is not taken for delivered, however often processes end that held it.

use slight_e2e::{Running, eventually, run};
use slight_services::present;

use crate::servers::{Backend, on_every_server};

on_every_server! {
    processes_that_are_stopped_bury_nothing_unseen
    processes_that_are_killed_bury_nothing_unseen
}

const MESSAGES: usize = 6;

/// More than twice as many as a message has deliveries.
const ENDS: usize = 4;

/// Leases are short, so that what a killed process held is free again soon.
const SUBSCRIPTION: &str =
    "subscriptions = [{ topics = [\"t\"], group = \"g\", visibility = \"2s\", max-deliveries = 1 }]";

async fn processes_that_are_stopped_bury_nothing_unseen(backend: &Backend) {
    on_a_server(backend, "TERM").await;
}

async fn processes_that_are_killed_bury_nothing_unseen(backend: &Backend) {
    on_a_server(backend, "KILL").await;
}

async fn on_a_server(backend: &Backend, signal: &str) {
    let Some(server) = present(backend.start()) else { return };
    bury_nothing_unseen(&backend.toml(&server, SUBSCRIPTION), signal).await;
}

#[tokio::test]
async fn processes_that_end_bury_nothing_unseen_on_redb() {
    for signal in ["TERM", "KILL"] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.redb");
        let toml = format!(
            "limits = {{ backend-timeout = \"5s\" }}\nproviders.redb.path = {path:?}\nkey-value = {{ \"*\" = \"redb\" }}\n\
             [messaging]\n\"*\" = \"redb\"\n{SUBSCRIPTION}"
        );
        bury_nothing_unseen(&toml, signal).await;
    }
}

async fn start(toml: &str) -> Running {
    run("messaging").toml(toml).start().await
}

/// How often handlers have begun each message.
async fn begun(app: &Running) -> Vec<usize> {
    let mut begun = Vec::new();
    for number in 0..MESSAGES {
        let answer = app.get(&format!("/deliveries/m{number}")).await;
        begun.push(if answer.status == 200 { answer.text().parse().unwrap() } else { 0 });
    }
    begun
}

/// Ends a process again and again while it handles one message and others wait.
async fn bury_nothing_unseen(toml: &str, signal: &str) {
    let one_at_a_time =
        toml.replace("limits = { ", "limits = { concurrency = 1, drain-timeout = \"100ms\", timeout = \"1h\", ");
    let mut app = start(&one_at_a_time).await;
    for number in 0..MESSAGES {
        // Longer than the process lives that gets it first.
        let path = format!("/send/t?meta-id=m{number}&meta-do=sleep:2000");
        assert_eq!(app.post(&path, "x").await.text(), "ok");
    }
    for ends in 0..ENDS {
        let further = async || (begun(&app).await.iter().sum::<usize>() > ends).then_some(());
        eventually("a further message in its handler", further).await;
        app.signal(signal);
        app.end().await;
        app = start(&one_at_a_time).await;
    }
    app.signal("KILL");
    app.end().await;
    let last = start(toml).await;
    let all = async || begun(&last).await.iter().all(|times| *times > 0).then_some(());
    eventually("every message in a handler", all).await;
}
