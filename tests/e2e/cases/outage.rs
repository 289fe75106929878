//! A server that is killed in the middle of a load, and comes back.

use std::{
    cell::{Cell, RefCell},
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use http::Method;
use slight_e2e::{Running, eventually, full, run};
use slight_services::{Server, present};

use crate::servers::{Backend, on_every_server};

on_every_server! {
    a_server_that_is_killed_under_load_costs_errors_while_it_is_down_and_nothing_else
    messages_are_handled_again_after_an_outage
}

const TASKS: usize = 4;

/// Four times `limits.backend-timeout`: only what hangs takes as long. At `limits.timeout` it would be cut off.
const LONGEST: Duration = Duration::from_secs(20);

/// What the tasks of a load have seen so far.
#[derive(Default)]
struct Load {
    acknowledged: RefCell<Vec<String>>,
    refused: Cell<usize>,
    over: Cell<bool>,
}

impl Load {
    /// Writes until the load is over.
    async fn write(&self, app: &Running, task: usize) {
        let mut connection = app.connect().await;
        for number in 0.. {
            if self.over.get() {
                return;
            }
            let (key, started) = (format!("{task}-{number}"), Instant::now());
            let answer = connection.fetch(Method::PUT, &format!("/kv/b/{key}"), full(key.clone())).await;
            assert!(started.elapsed() < LONGEST, "{:?} for {}", started.elapsed(), answer.body_text());
            if answer.status.is_success() {
                self.acknowledged.borrow_mut().push(key);
            } else {
                let error = answer.error();
                assert!(!error.contains("127.0.0.1"), "a guest must not learn where the backend is: {error}");
                self.refused.set(self.refused.get() + 1);
            }
        }
    }

    async fn acknowledges(&self, what: &str, more: usize) {
        let end = self.acknowledged.borrow().len() + more;
        eventually(what, async || (self.acknowledged.borrow().len() >= end).then_some(())).await;
    }

    async fn refuses(&self, more: usize) {
        let end = self.refused.get() + more;
        eventually("errors", async || (self.refused.get() >= end).then_some(())).await;
    }
}

/// Without holding up what runs beside it.
async fn aside<T: Send + 'static>(mut server: Server, work: impl FnOnce(&mut Server) -> T + Send + 'static) -> Server {
    let done = tokio::task::spawn_blocking(move || {
        work(&mut server);
        server
    });
    done.await.unwrap()
}

async fn a_server_that_is_killed_under_load_costs_errors_while_it_is_down_and_nothing_else(backend: &Backend) {
    let Some(mut server) = present(backend.start()) else { return };
    let app = run("kv").toml(&backend.toml(&server, "")).start().await;
    let load = Load::default();
    let outages = async {
        for _ in 0..2 {
            load.acknowledges("the load", 100).await;
            server = aside(server, Server::kill).await;
            load.refuses(2 * TASKS).await;
            server = aside(server, Server::restart).await;
            load.acknowledges("service after the outage", 100).await;
        }
        load.over.set(true);
        server
    };
    let (_server, _) = tokio::join!(outages, join_all((0..TASKS).map(|task| load.write(&app, task))));
    for key in load.acknowledged.into_inner() {
        assert_eq!(app.get(&format!("/kv/b/{key}")).await.text(), key);
    }
    assert!(app.is_alive());
    for line in app.log().lines().filter(|line| line.contains("WARN")) {
        assert!(line.matches("(os error ").count() < 2, "a cause must be said once: {line}");
    }
}

async fn messages_are_handled_again_after_an_outage(backend: &Backend) {
    let Some(mut server) = present(backend.start()) else { return };
    let toml = backend.toml(&server, "subscriptions = [{ topics = [\"t\"], group = \"g\" }]");
    let app = run("messaging").toml(&toml).start().await;
    let handled = async |id: &str| {
        let path = format!("/deliveries/{id}");
        eventually("the message", async || app.get(&path).await.status.is_success().then_some(())).await;
    };
    assert_eq!(app.post("/send/t?meta-id=before", "x").await.text(), "ok");
    handled("before").await;
    server = aside(server, Server::kill).await;
    let error = app.post("/send/t?meta-id=lost", "x").await.error();
    assert!(error.starts_with("connection: ") || error.starts_with("timeout"), "{error}");
    assert!(!error.contains("127.0.0.1"), "{error}");
    let _server = aside(server, Server::restart).await;
    eventually("service after the outage", async || {
        app.post("/send/t?meta-id=after", "x").await.status.is_success().then_some(())
    })
    .await;
    handled("after").await;
}
