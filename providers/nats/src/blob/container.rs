use std::sync::Arc;

use async_trait::async_trait;
use futures_util::{StreamExt, TryStreamExt, stream};
use slight_capabilities::{
    Blob, ByteRange, ByteStream, Container, ContainerInfo, Cursor, Error, ObjectInfo, Page, Result,
};

use super::{
    download,
    meta::{Described, Object, State},
    names::{self, Subjects},
    upload::Upload,
};
use crate::{
    errors,
    listing::{self, Listing},
    stream::{Stored, Stream, is_marker},
};

/// How many objects are deleted at the same time.
const WINDOW: usize = 32;

/// One container: an object store.
#[derive(Clone)]
pub(super) struct NatsContainer {
    pub(super) stream: Stream,
    pub(super) bucket: String,
    pub(super) subjects: Arc<Subjects>,
    /// Whether uploads under way are marked in it. An object store of another program has no subject for that.
    pub(super) marks: bool,
}

impl NatsContainer {
    /// What is under the name of an object.
    pub(super) async fn state(&self, object: &str) -> Result<State> {
        let Some(stored) = self.stream.last(&self.subjects.meta(object)).await? else {
            return Ok(State { sequence: 0, is_damaged: false, object: None });
        };
        let (sequence, written_at) = (stored.sequence, stored.time);
        let described = if stored.is_marker { Described::Deleted } else { Described::by(&stored.data) };
        Ok(State {
            sequence,
            is_damaged: matches!(described, Described::Damaged),
            object: described.object().map(|meta| Object { meta, written_at }),
        })
    }

    pub(super) async fn find(&self, object: &str) -> Result<Object> {
        let state = self.state(object).await?;
        match state.object {
            Some(found) => Ok(found),
            None if state.is_damaged => Err(Error::other(format!(
                "the object {object:?} cannot be read: what NATS has as its description is none; write it again or delete it"
            ))),
            None => Err(missing(object)),
        }
    }

    async fn delete_one(&self, object: &str) -> Result<()> {
        let state = self.state(object).await?;
        if state.object.is_none() && !state.is_damaged {
            return Ok(());
        }
        // What somebody has written meanwhile stays. Either way nothing refers to this content any more.
        self.stream.purge(&self.subjects.meta(object), Some(state.sequence + 1)).await?;
        match state.object.filter(|found| names::is_id(&found.meta.id)) {
            Some(found) => self.stream.purge(&self.subjects.chunks(&found.meta.id), None).await,
            None => Ok(()),
        }
    }

    /// An object whose description cannot be read is listed, so that it can be deleted.
    fn listed(&self, subject: &str, description: &[u8]) -> Option<String> {
        match Described::by(description) {
            Described::Deleted => None,
            _ => self.subjects.object(subject),
        }
    }
}

fn missing(object: &str) -> Error {
    Error::not_found(format!("there is no object {object:?}"))
}

#[async_trait]
impl Container for NatsContainer {
    async fn info(&self) -> Result<ContainerInfo> {
        let info = self.stream.info().await?.ok_or_else(|| errors::no_stream(&self.stream.name))?;
        Ok(ContainerInfo { created_at: info.created.into() })
    }

    async fn read(&self, object: &str, range: ByteRange) -> Result<Blob> {
        download::open(self, object, range).await
    }

    async fn write(&self, object: &str, body: ByteStream) -> Result<()> {
        let mut upload = Upload::new(self.clone(), object);
        let result = match upload.store(body).await {
            Ok(meta) => upload.publish(meta).await,
            Err(error) => Err(error),
        };
        upload.finish().await;
        result
    }

    async fn stat(&self, object: &str) -> Result<ObjectInfo> {
        let found = self.find(object).await?;
        Ok(ObjectInfo { size: found.meta.size, created_at: found.written_at })
    }

    async fn list(&self, cursor: Option<&Cursor>) -> Result<Page<String>> {
        let listing = Listing {
            scope: &["nats", &self.stream.name],
            filter: &self.subjects.metas(),
            headers_only: false,
            name: &|message| match is_marker(message.headers.as_ref()) {
                true => None,
                false => self.listed(&message.subject, &message.payload),
            },
            name_of_stored: &|stored: &Stored| match stored.is_marker {
                true => None,
                false => self.listed(&stored.subject, &stored.data),
            },
        };
        listing::page(&self.stream, &listing, cursor).await
    }

    async fn delete(&self, objects: &[String]) -> Result<()> {
        let deletes = stream::iter(objects.to_vec()).map(|object| async move { self.delete_one(&object).await });
        deletes.buffer_unordered(WINDOW).try_collect().await
    }
}
