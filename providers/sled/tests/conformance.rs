//! The sled provider does what the contracts and its page say.

#![allow(clippy::expect_used, reason = "the helpers are part of the tests")]

use std::{path::PathBuf, sync::Arc};

use async_trait::async_trait;
use serde_json::json;
use slight_capabilities::Result;
use slight_conformance::{Connection, Harness, Section};
use slight_provider_sled::{KeyValueSettings, Settings, Sled, kind};

struct InDirectory(PathBuf);

impl InDirectory {
    fn new() -> Self {
        // On the disk of the build, where syncing is real.
        Self(slight_kill::scratch(env!("CARGO_TARGET_TMPDIR")).expect("a temporary directory"))
    }
}

#[async_trait]
impl Harness for InDirectory {
    async fn connect(&self) -> Result<Connection> {
        let settings = Settings { path: self.0.join("data/slight.sled"), key_value: KeyValueSettings::default() };
        Ok(Connection::Ready(Arc::new(Sled::new(settings)?)))
    }

    fn section(&self) -> Option<Section> {
        Some(Section::new(kind(), json!({ "path": Self::new().0.join("data/slight.sled") })))
    }
}

slight_conformance::provider!(InDirectory::new());
slight_conformance::key_value!(InDirectory::new());
slight_conformance::many_keys!(InDirectory::new());
slight_conformance::page!(kind(), include_str!("../../../docs/providers/sled.md"));
