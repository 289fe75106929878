//! The file provider does what the contracts and its page say.

#![allow(clippy::expect_used, reason = "the helpers are part of the tests")]

use std::{fs, io, path::PathBuf, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::json;
use slight_capabilities::{Error, Result};
use slight_conformance::{Connection, Harness, Section};
use slight_provider_file::{BlobSettings, Files, Settings, kind};

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
        let settings = Settings { path: self.0.join("data"), blob: BlobSettings::default() };
        Ok(Connection::Ready(Arc::new(Files::new(settings)?)))
    }

    fn section(&self) -> Option<Section> {
        Some(Section::new(kind(), json!({ "path": Self::new().0.join("data") })))
    }

    async fn make_location(&self, object: &str, content: Bytes) -> Option<Result<String>> {
        let make = || {
            let file = self.0.join("data/another program's").join(object);
            fs::create_dir_all(file.parent().ok_or(io::ErrorKind::InvalidInput)?)?;
            fs::write(file, content)
        };
        let made = make().map_err(|error: io::Error| Error::other(error.to_string()));
        Some(made.map(|()| "another program's".to_owned()))
    }

    async fn remove_location(&self, location: &str) -> Result<()> {
        fs::remove_dir_all(self.0.join("data").join(location)).map_err(|error| Error::other(error.to_string()))
    }
}

slight_conformance::provider!(InDirectory::new());
slight_conformance::blob!(InDirectory::new());
slight_conformance::page!(kind(), include_str!("../../../docs/providers/file.md"));
