use std::sync::Arc;

use aws_sdk_s3::types::CompletedPart;
use slight_capabilities::{Error, ErrorKind, Result};
use tokio::{runtime::Handle, task::JoinSet, time::Instant};

use crate::{
    commit::{commit, marked},
    errors::{self, Effect, Failure},
    store::{Store, ask},
};

/// How many parts an object may have.
pub(crate) const MAX_PARTS: i32 = 10_000;

/// How many parts are on their way at a time.
const AT_ONCE: usize = 3;

/// An upload in parts. Until it is completed nothing of it is to be seen; one that is not completed is aborted, also when
/// it is dropped.
pub(crate) struct Multipart {
    upload: Arc<Upload>,
    running: JoinSet<Result<CompletedPart, Failure>>,
    done: Vec<CompletedPart>,
    begun: i32,
    over: bool,
}

/// What a request of an upload names.
pub(crate) struct Upload {
    pub(crate) store: Arc<Store>,
    pub(crate) key: String,
    pub(crate) id: String,
    /// Which the object has in its metadata once it is this upload.
    pub(crate) mark: String,
}

/// What an object has beside its bytes, where it is a copy.
#[derive(Default)]
pub(crate) struct Description {
    pub(crate) content_type: Option<String>,
    pub(crate) metadata: Option<std::collections::HashMap<String, String>>,
}

impl Multipart {
    pub(crate) async fn begin(store: &Arc<Store>, key: &str, description: Description) -> Result<Self> {
        let create = store.client.create_multipart_upload().bucket(store.bucket()).key(key);
        let (mark, metadata) = marked(description.metadata);
        let create = create.set_content_type(description.content_type).set_metadata(Some(metadata));
        let answer =
            ask(store.deadline(), create.send()).await.map_err(|failure| store.error(failure, Effect::None))?;
        let id = answer.upload_id.ok_or_else(errors::odd)?;
        let upload = Arc::new(Upload { store: store.clone(), key: key.to_owned(), id, mark });
        Ok(Self { upload, running: JoinSet::new(), done: Vec::new(), begun: 0, over: false })
    }

    /// Begins the next part, once few enough others are on their way. `send` gives the part's ETag.
    pub(crate) async fn add<Sending>(&mut self, send: impl FnOnce(Arc<Upload>, i32) -> Sending) -> Result<()>
    where
        Sending: Future<Output = Result<Option<String>, Failure>> + Send + 'static,
    {
        if self.begun == MAX_PARTS {
            return Err(Error::new(
                ErrorKind::TooLarge,
                format!("the object has more than {MAX_PARTS} parts; set blob.part-size to more"),
            ));
        }
        while self.running.len() >= AT_ONCE {
            self.end_one().await?;
        }
        self.begun += 1;
        let number = self.begun;
        let sending = send(self.upload.clone(), number);
        self.running.spawn(async move {
            let etag = sending.await?;
            Ok(CompletedPart::builder().part_number(number).set_e_tag(etag).build())
        });
        Ok(())
    }

    async fn end_one(&mut self) -> Result<()> {
        match self.running.join_next().await {
            None => {}
            Some(Ok(Ok(part))) => self.done.push(part),
            Some(Ok(Err(failure))) => return Err(self.upload.store.error(failure, Effect::None)),
            Some(Err(panic)) => return Err(Error::other("a part could not be sent").with_source(panic)),
        }
        Ok(())
    }

    /// Waits for all parts and makes them the object.
    pub(crate) async fn complete(&mut self) -> Result<()> {
        while !self.running.is_empty() {
            self.end_one().await?;
        }
        let mut parts = std::mem::take(&mut self.done);
        parts.sort_unstable_by_key(|part| part.part_number);
        commit(&self.upload, parts).await?;
        self.over = true;
        Ok(())
    }

    /// Removes the parts, and waits until that is done.
    pub(crate) async fn abort(mut self) {
        self.over = true;
        let parts = std::mem::take(&mut self.running);
        abort(self.upload.clone(), parts).await;
    }
}

impl Drop for Multipart {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        // Without a runtime nobody can send anything; the next start removes it once it is old.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(abort(self.upload.clone(), std::mem::take(&mut self.running)));
        }
    }
}

async fn abort(upload: Arc<Upload>, mut parts: JoinSet<Result<CompletedPart, Failure>>) {
    // What is on its way first, or it might arrive afterwards. S3 may have received it already and still be at it: a
    // second request removes what the first has missed.
    let attempts = if parts.is_empty() { 1 } else { 2 };
    parts.shutdown().await;
    for _ in 0..attempts {
        match abort_once(&upload, upload.store.deadline()).await {
            Ok(()) => {}
            Err(failure) if failure.is_no_upload() => return,
            Err(failure) => {
                let error = upload.store.error(failure, Effect::Repeatable);
                tracing::warn!("an upload to S3 could not be aborted, and its parts stay until a later start: {error}");
                return;
            }
        }
    }
}

async fn abort_once(upload: &Upload, deadline: Instant) -> Result<(), Failure> {
    let Upload { store, key, id, .. } = upload;
    let abort = store.client.abort_multipart_upload().bucket(store.bucket()).key(key).upload_id(id);
    ask(deadline, abort.send()).await.map(drop)
}
