//! The nats provider does what the contracts say.

use async_nats::jetstream;
use async_trait::async_trait;
use bytes::Bytes;
use serde_json::json;
use slight_capabilities::{Error, Result};
use slight_conformance::{Connection, Harness, Killable, SECRET, Section};
use slight_provider_nats::kind;
use slight_services::{NATS, Server, shared_url};

struct Nats;

#[async_trait]
impl Harness for Nats {
    async fn connect(&self) -> Result<Connection> {
        match shared_url(&NATS) {
            Err(missing) => Ok(Connection::Missing(missing.to_string())),
            Ok(url) => Ok(Connection::Ready(kind().connect(json!({ "url": url })).await?)),
        }
    }

    fn section(&self) -> Option<Section> {
        let settings = json!({ "url": shared_url(&NATS).ok()? });
        let nobody = json!({ "url": format!("nats://user:{SECRET}@127.0.0.1:1") });
        Some(Section::new(kind(), settings).with_nobody(nobody))
    }

    async fn make_location(&self, object: &str, content: Bytes) -> Option<Result<String>> {
        Some(make_location(object, content).await.map_err(failed))
    }

    async fn remove_location(&self, location: &str) -> Result<()> {
        let nats = nats().await.map_err(failed)?;
        nats.delete_object_store(location).await.map_err(|error| failed(error.into()))
    }
}

/// NATS as its own client sees it.
async fn nats() -> Result<jetstream::Context, async_nats::Error> {
    let url = shared_url(&NATS).map_err(|missing| missing.to_string())?;
    Ok(jetstream::new(async_nats::connect(url).await?))
}

async fn make_location(object: &str, content: Bytes) -> Result<String, async_nats::Error> {
    let bucket = format!("photos-{}", std::process::id());
    let config = jetstream::object_store::Config { bucket: bucket.clone(), ..Default::default() };
    let store = nats().await?.create_object_store(config).await?;
    store.put(object, &mut content.as_ref()).await?;
    Ok(bucket)
}

fn failed(error: async_nats::Error) -> Error {
    Error::other("the client of NATS failed").with_source(error)
}

fn server() -> std::result::Result<Killable, String> {
    let connect = |server: &Server| kind().connect(json!({ "url": server.url() }));
    let means = [Server::kill, Server::restart, Server::pause, Server::resume];
    let killable = |server| Killable::silenced(server, connect, means);
    Server::start(&NATS, &[]).map(killable).map_err(|missing| missing.to_string())
}

slight_conformance::provider!(Nats);
slight_conformance::key_value!(Nats);
slight_conformance::two_processes!(Nats);
slight_conformance::blob!(Nats);
slight_conformance::messaging!(Nats);
slight_conformance::outage!(server; key_value blob messaging);
