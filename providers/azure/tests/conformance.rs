//! The azure provider does what the contracts and its page say, on Azurite.

#![allow(clippy::expect_used, reason = "the helpers are part of the tests")]

#[path = "azure/raw.rs"]
mod raw;

use std::hash::{BuildHasher, RandomState};

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::json;
use slight_capabilities::{Error, Result};
use slight_conformance::{Connection, Harness, Killable, SECRET, Section};
use slight_provider_azure::kind;
use slight_services::{Azurite, shared_azurite};

struct OnAzurite;

/// The container of Azurite that holds what another program has put there.
async fn foreign(name: &str, object: &str, content: Bytes) -> azure_core::Result<()> {
    let string = shared_azurite().expect("the suite is not skipped");
    let container = raw::blobs(&string).blob_container_client(name);
    container.create(None).await?;
    container.blob_client(object).upload(content.into(), None).await.map(drop)
}

#[async_trait]
impl Harness for OnAzurite {
    async fn connect(&self) -> Result<Connection> {
        match shared_azurite() {
            Err(missing) => Ok(Connection::Missing(missing.to_string())),
            Ok(string) => {
                // Every case makes groups, and would wait for each: two seconds by default.
                let messaging = json!({ "group-cache": "100ms" });
                // For busy machines: the cases run in parallel, with many megabytes, on one Azurite.
                let settings = json!({ "connection-string": string, "timeout": "60s", "messaging": messaging });
                Ok(Connection::Ready(kind().connect(settings).await?))
            }
        }
    }

    fn section(&self) -> Option<Section> {
        let section = |string: String, timeout: &str| json!({ "connection-string": string, "timeout": timeout });
        let nobody = format!(
            "AccountName=nobody;AccountKey={SECRET};BlobEndpoint=http://127.0.0.1:1/nobody;\
             QueueEndpoint=http://127.0.0.1:1/nobody;"
        );
        let real = section(shared_azurite().ok()?, "60s");
        Some(Section::new(kind(), real).with_nobody(section(nobody, "5s")))
    }

    async fn make_location(&self, object: &str, content: Bytes) -> Option<Result<String>> {
        let name = format!("foreign-{:x}", RandomState::new().hash_one(object));
        let made = foreign(&name, object, content).await;
        Some(made.map(|()| name).map_err(|error| Error::other(error.to_string())))
    }

    async fn remove_location(&self, location: &str) -> Result<()> {
        let string = shared_azurite().map_err(|missing| Error::other(missing.to_string()))?;
        let removed = raw::blobs(&string).blob_container_client(location).delete(None).await;
        removed.map(drop).map_err(|error| Error::other(error.to_string()))
    }
}

fn server() -> std::result::Result<Killable, String> {
    let connect = |azurite: &Azurite| {
        let (string, messaging) = (azurite.connection_string(), json!({ "group-cache": "100ms" }));
        kind().connect(json!({ "connection-string": string, "timeout": "5s", "messaging": messaging }))
    };
    // Azurite writes its tables of contents every few seconds, and when it is asked to end.
    let means = [Azurite::stop, Azurite::restart, Azurite::pause, Azurite::resume];
    let killable = |azurite| Killable::silenced(azurite, connect, means);
    Azurite::start(&[]).map(killable).map_err(|missing| missing.to_string())
}

slight_conformance::provider!(OnAzurite);
slight_conformance::key_value!(OnAzurite);
slight_conformance::two_processes!(OnAzurite);
slight_conformance::blob!(OnAzurite);
slight_conformance::messaging!(OnAzurite);
slight_conformance::outage!(server; key_value blob messaging);
slight_conformance::page!(kind(), include_str!("../../../docs/providers/azure.md"), || {
    shared_azurite().map(|string| json!({ "connection-string": string }))
});
