use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use slight_capabilities::{Provider, Result};

use crate::provider::Section;

/// What came of connecting.
pub enum Connection {
    /// A provider to try. The suite calls [`Provider::prepare`].
    Ready(Arc<dyn Provider>),
    /// The server is not on this machine; says which, and how to get it.
    Missing(String),
}

/// How to reach a backend: what the author of a provider writes for its test.
#[async_trait]
pub trait Harness: Send + Sync + 'static {
    /// Connects. Called once per suite; all its cases share the provider, and one async runtime with it.
    ///
    /// # Errors
    /// Those of the provider; every case fails with it.
    async fn connect(&self) -> Result<Connection>;

    /// Settings to connect with, for the cases of [`provider!`](macro@crate::provider). Called for each case, after
    /// [`connect`](Self::connect): files are made at another place each time.
    fn section(&self) -> Option<Section> {
        None
    }

    /// Makes a location as another program would have, for [`BlobStore::existing`], with one object in it, and gives
    /// the location's name. The object is put there by the backend's own means under exactly the name given. Called for
    /// blob suites alone, after [`connect`](Self::connect); with `None` the case about it is skipped.
    ///
    /// [`BlobStore::existing`]: slight_capabilities::BlobStore::existing
    async fn make_location(&self, _object: &str, _content: Bytes) -> Option<Result<String>> {
        None
    }

    /// Removes what [`make_location`](Self::make_location) made.
    async fn remove_location(&self, _location: &str) -> Result<()> {
        Ok(())
    }
}

/// A provider to try cases on.
#[derive(Clone)]
pub struct Target {
    /// The provider.
    pub provider: Arc<dyn Provider>,
    /// Where it came from.
    pub harness: Arc<dyn Harness>,
}
