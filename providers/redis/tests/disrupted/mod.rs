//! What operators and other programs do to what is kept in Redis.

use std::time::Duration;

use parking_lot::Mutex;
use serde_json::json;
use slight_conformance::disruption::{Disruption, Doing, Names, Stage, Starting};
use slight_provider_redis::kind;
use slight_services::{REDIS, Server};

/// A server of a row's own, which keeps nothing over its end.
pub struct Backend {
    server: Mutex<Server>,
    /// One that it becomes a copy of.
    other: Server,
}

pub fn stage() -> Starting<Backend> {
    Box::pin(async {
        let start = || Server::start(&REDIS, &[]).map_err(|missing| missing.to_string());
        let (server, other) = (start()?, start()?);
        let provider = kind().connect(json!({ "url": server.url() })).await.map_err(|error| error.to_string())?;
        Ok(Stage { provider, backend: Backend { server: Mutex::new(server), other } })
    })
}

/// Runs commands in turn, each of words. `T` stands for what the keys of the topic begin with, `B` for those of the bucket.
fn run<'a>(backend: &'a Backend, names: &'a Names, commands: &'static [&'static str]) -> Doing<'a> {
    Box::pin(async move {
        let encoded = names.name.encoded();
        let (topic, bucket) = (format!("slight-msg:{{{encoded}}}:"), format!("slight-kv:{encoded}:"));
        let url = backend.server.lock().url();
        let client = redis::Client::open(url).map_err(|error| error.to_string())?;
        let mut redis = client.get_multiplexed_async_connection().await.map_err(|error| error.to_string())?;
        for words in commands {
            let mut command = redis::Cmd::new();
            for word in words.split(' ') {
                match (word.strip_prefix("T:"), word.strip_prefix("B:")) {
                    (Some(rest), _) => command.arg(format!("{topic}{rest}")),
                    (_, Some(rest)) => command.arg(format!("{bucket}{rest}")),
                    _ if word == "BYTES" => command.arg(b"\xff\xfe"),
                    _ => command.arg(word),
                };
            }
            let answer: redis::RedisResult<redis::Value> = command.query_async(&mut redis).await;
            answer.map_err(|error| format!("{words}: {error}"))?;
        }
        Ok(())
    })
}

/// Makes a server a copy of another, and then its own again.
async fn copy(from: u16, to: &str) -> redis::RedisResult<()> {
    let mut redis = redis::Client::open(to)?.get_multiplexed_async_connection().await?;
    redis::cmd("REPLICAOF").arg("127.0.0.1").arg(from).query_async::<()>(&mut redis).await?;
    loop {
        let info: String = redis::cmd("INFO").arg("replication").query_async(&mut redis).await?;
        if info.contains("master_link_status:up") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    redis::cmd("REPLICAOF").arg("NO").arg("ONE").query_async(&mut redis).await
}

async fn copied(from: u16, to: &str) -> Result<(), String> {
    let copied = tokio::time::timeout(slight_services::DEADLINE, copy(from, to)).await;
    copied.map_err(|_| "it did not become a copy in time")?.map_err(|error| error.to_string())
}

/// What the other server has takes the place of all that this one has: nothing.
fn fail_over<'a>(backend: &'a Backend, _: &'a Names) -> Doing<'a> {
    Box::pin(async {
        let url = backend.server.lock().url();
        copied(backend.other.port(), &url).await
    })
}

/// The other server is what this one was a moment ago, as is a backup, or a replica that has stopped to follow.
fn go_back<'a>(backend: &'a Backend, _: &'a Names) -> Doing<'a> {
    Box::pin(async {
        let (port, url) = {
            let server = backend.server.lock();
            (server.port(), server.url())
        };
        copied(port, &backend.other.url()).await?;
        // Meanwhile others write, if there are any.
        tokio::time::sleep(Duration::from_millis(200)).await;
        copied(backend.other.port(), &url).await
    })
}

fn kill<'a>(backend: &'a Backend, _: &'a Names) -> Doing<'a> {
    Box::pin(async {
        let mut server = backend.server.lock();
        server.kill();
        server.restart();
        Ok(())
    })
}

macro_rules! rows {
    ($($object:literal $action:literal $($with:ident)*: $commands:expr $(; $undo:expr)?),* $(,)?) => {
        &[
            $(Disruption::new($object, $action, |backend, names| run(backend, names, $commands))
                $(.$with())* $(.until(|backend, names| run(backend, names, $undo)))?,)*
            Disruption::new("server", "killed and started empty", kill).loses_what_it_held().everywhere(),
            Disruption::new("server", "failed over to an empty replica", fail_over).loses_what_it_held().everywhere(),
            Disruption::new("server", "restored from a backup", go_back).loses_what_it_held().everywhere(),
        ]
    };
}

pub const ENTRIES: &[Disruption<Backend>] = rows! {
    "entry" "overwritten with a list" loses_what_it_held: &["UNLINK B:before/0", "RPUSH B:before/0 x"]; &["UNLINK B:before/0"],
    // It has expired when the wait is over.
    "entry" "set to expire" loses_what_it_held: &["PEXPIRE B:before/0 1", "BLPOP B:nothing 0.1"],
    "keys beside the entries" "not text, empty, of other types": &["SET B: x", "RPUSH B:list x", "SADD B:set BYTES"],
    "scripts" "SCRIPT FLUSH": &["SCRIPT FLUSH"],
    "connections" "CLIENT KILL" everywhere: &["CLIENT KILL TYPE normal SKIPME yes"],
    "memory" "maxmemory reached, noeviction" everywhere: &["CONFIG SET maxmemory 1"]; &["CONFIG SET maxmemory 0"],
    "memory" "maxmemory reached, allkeys-random" loses_what_it_held everywhere:
        &["CONFIG SET maxmemory-policy allkeys-random", "CONFIG SET maxmemory 1"]; &["CONFIG SET maxmemory 0"],
    "server" "FLUSHALL" loses_what_it_held everywhere: &["FLUSHALL"],
};

pub const TOPICS: &[Disruption<Backend>] = rows! {
    "stream" "deleted" loses_what_it_held: &["UNLINK T:stream"],
    "stream" "renamed" loses_what_it_held: &["RENAME T:stream T:other"],
    "stream" "set to expire" loses_what_it_held: &["PEXPIRE T:stream 1", "BLPOP T:nothing 0.1"],
    "stream" "overwritten with a string" loses_what_it_held: &["SET T:stream x"],
    "stream" "replaced by one of another program" loses_what_it_held: &["XADD T:other * x x", "RENAME T:other T:stream"],
    "stream" "cut to nothing" loses_what_it_held: &["XTRIM T:stream MAXLEN 0"],
    "stream" "given an entry that is no message": &["XADD T:stream * BYTES BYTES"],
    "stream" "given an entry with the highest id": &["XADD T:stream 18446744073709551615-18446744073709551615 x x"],
    "consumer group" "destroyed": &["XGROUP DESTROY T:stream group"],
    "consumer group without a member" "destroyed": &["XGROUP DESTROY T:stream waiting"],
    "consumer group" "set past the end" loses_what_it_held: &["XGROUP SETID T:stream waiting 99999999999999-0"],
    "consumer" "deleted" loses_what_it_held: &["XGROUP DELCONSUMER T:stream group slight"],
    "set of groups" "deleted": &["UNLINK T:groups"],
    "set of groups" "overwritten with a string": &["SET T:groups x"],
    "epoch" "deleted": &["UNLINK T:epoch"],
    "epoch" "overwritten with a string": &["SET T:epoch x"],
    "due times" "deleted": &["UNLINK T:due:group"],
    "due times" "overwritten with a string": &["SET T:due:group x"],
    "due times" "given what is no id": &["ZADD T:due:group 0 x -inf + inf BYTES"],
    "counts" "deleted": &["UNLINK T:counts:group"],
    "counts" "overwritten with a string": &["SET T:counts:group x"],
    "wake list" "deleted": &["UNLINK T:wake:group"],
    "wake list" "overwritten with a string": &["SET T:wake:group x"],
    "all keys of a topic but the epoch" "deleted" loses_what_it_held:
        &["UNLINK T:stream T:groups T:due:group T:counts:group T:wake:group"],
    "all keys of a topic" "deleted" loses_what_it_held:
        &["UNLINK T:stream T:groups T:epoch T:due:group T:counts:group T:wake:group"],
    "scripts" "SCRIPT FLUSH": &["SCRIPT FLUSH"],
    "connections" "CLIENT KILL" everywhere: &["CLIENT KILL TYPE normal SKIPME yes"],
    "memory" "maxmemory reached, noeviction" everywhere: &["CONFIG SET maxmemory 1"]; &["CONFIG SET maxmemory 0"],
    "memory" "maxmemory reached, allkeys-random" loses_what_it_held everywhere:
        &["CONFIG SET maxmemory-policy allkeys-random", "CONFIG SET maxmemory 1"]; &["CONFIG SET maxmemory 0"],
    "server" "FLUSHALL" loses_what_it_held everywhere: &["FLUSHALL"],
};
