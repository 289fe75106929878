//! The redis provider does what the contracts and its page say: on Redis, on Valkey, and on a cluster.

mod disrupted;

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use serde_json::json;
use slight_capabilities::Result;
use slight_conformance::{Connection, Harness, Killable, SECRET, Section};
use slight_provider_redis::kind;
use slight_services::{Kind, Missing, REDIS, RedisCluster, Server, VALKEY, shared_url};

struct On(&'static Kind);

#[async_trait]
impl Harness for On {
    async fn connect(&self) -> Result<Connection> {
        match shared_url(self.0) {
            Err(missing) => Ok(Connection::Missing(missing.to_string())),
            Ok(url) => Ok(Connection::Ready(kind().connect(json!({ "url": url })).await?)),
        }
    }

    fn section(&self) -> Option<Section> {
        let settings = json!({ "url": shared_url(self.0).ok()? });
        let nobody = json!({ "url": format!("redis://user:{SECRET}@127.0.0.1:1") });
        Some(Section::new(kind(), settings).with_nobody(nobody))
    }
}

/// One for all. Nothing drops it: its nodes end with the process.
fn cluster_url() -> std::result::Result<String, Missing> {
    static CLUSTER: Mutex<Option<RedisCluster>> = Mutex::new(None);
    let mut cluster = CLUSTER.lock().unwrap_or_else(PoisonError::into_inner);
    match &mut *cluster {
        Some(started) => Ok(started.url()),
        none => Ok(none.insert(RedisCluster::start(3)?).url()),
    }
}

struct OnCluster;

#[async_trait]
impl Harness for OnCluster {
    async fn connect(&self) -> Result<Connection> {
        match cluster_url() {
            Err(missing) => Ok(Connection::Missing(missing.to_string())),
            Ok(url) => Ok(Connection::Ready(kind().connect(json!({ "url": url, "cluster": true })).await?)),
        }
    }

    fn section(&self) -> Option<Section> {
        let settings = json!({ "url": cluster_url().ok()?, "cluster": true });
        let nobody = json!({ "url": format!("redis://user:{SECRET}@127.0.0.1:1"), "cluster": true });
        Some(Section::new(kind(), settings).with_nobody(nobody))
    }
}

/// A server with nothing else in its database, all of which a listing looks at.
struct OnItsOwn;

#[async_trait]
impl Harness for OnItsOwn {
    async fn connect(&self) -> Result<Connection> {
        match Server::start(&REDIS, &[]) {
            Err(missing) => Ok(Connection::Missing(missing.to_string())),
            Ok(server) => {
                let url = server.url();
                // It ends with the process.
                std::mem::forget(server);
                Ok(Connection::Ready(kind().connect(json!({ "url": url })).await?))
            }
        }
    }
}

/// A server whose acknowledged writes are all on the disk.
fn durable(server: &'static Kind) -> std::result::Result<Killable, String> {
    let server = Server::start(server, &["--appendonly", "yes", "--appendfsync", "always"]);
    let connect = |server: &Server| kind().connect(json!({ "url": server.url() }));
    let means = [Server::kill, Server::restart, Server::pause, Server::resume];
    let killable = |server| Killable::silenced(server, connect, means);
    server.map(killable).map_err(|missing| missing.to_string())
}

mod redis {
    use super::*;

    slight_conformance::provider!(On(&REDIS));
    slight_conformance::disruptions!(
        "../../docs/providers/redis.md", disrupted::stage;
        key_value disrupted::ENTRIES, messaging disrupted::TOPICS
    );

    slight_conformance::key_value!(On(&REDIS));
    slight_conformance::two_processes!(On(&REDIS));
    slight_conformance::messaging!(On(&REDIS));
    slight_conformance::outage!(|| durable(&REDIS); key_value messaging);
    slight_conformance::many_keys!(OnItsOwn);
}

mod valkey {
    use super::*;

    slight_conformance::provider!(On(&VALKEY));
    slight_conformance::key_value!(On(&VALKEY));
    slight_conformance::two_processes!(On(&VALKEY));
    slight_conformance::messaging!(On(&VALKEY));
    slight_conformance::outage!(|| durable(&VALKEY); key_value messaging);
}

mod cluster {
    use super::*;

    slight_conformance::provider!(OnCluster);
    slight_conformance::key_value!(OnCluster);
    slight_conformance::two_processes!(OnCluster);
    slight_conformance::messaging!(OnCluster);
}

slight_conformance::page!(kind(), include_str!("../../../docs/providers/redis.md"), || {
    shared_url(&REDIS).map(|url| json!({ "url": url }))
});
