//! The memory provider does what the contracts say.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream;
use serde_json::json;
use slight_capabilities::{Provider, Result};
use slight_conformance::{Connection, Harness, Section};
use slight_provider_memory::{Memory, kind};

#[derive(Default)]
struct InMemory(Memory);

#[async_trait]
impl Harness for InMemory {
    async fn connect(&self) -> Result<Connection> {
        Ok(Connection::Ready(Arc::new(self.0.clone())))
    }

    fn section(&self) -> Option<Section> {
        Some(Section::new(kind(), json!({})))
    }

    async fn make_location(&self, object: &str, content: Bytes) -> Option<Result<String>> {
        let location = "a location".to_owned();
        self.0.create_location(&location);
        let container = match self.0.blob()?.existing(&location).await {
            Ok(container) => container,
            Err(error) => return Some(Err(error)),
        };
        let written = container.write(object, Box::pin(stream::iter([Ok(content)]))).await;
        Some(written.map(|()| location))
    }
}

slight_conformance::provider!(InMemory::default());
slight_conformance::key_value!(InMemory::default());
slight_conformance::blob!(InMemory::default());
slight_conformance::messaging!(InMemory::default());
slight_conformance::many_keys!(InMemory::default());
