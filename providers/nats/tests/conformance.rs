//! The nats provider does what the contracts say.

use async_trait::async_trait;
use serde_json::json;
use slight_capabilities::Result;
use slight_conformance::{Connection, Harness};
use slight_provider_nats::kind;
use slight_services::{NATS, shared_url};

struct Nats;

#[async_trait]
impl Harness for Nats {
    async fn connect(&self) -> Result<Connection> {
        match shared_url(&NATS) {
            Err(missing) => Ok(Connection::Missing(missing.to_string())),
            Ok(url) => Ok(Connection::Ready(kind().connect(json!({ "url": url })).await?)),
        }
    }
}

slight_conformance::key_value!(Nats);
slight_conformance::messaging!(Nats);
