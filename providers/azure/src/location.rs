use std::{num::NonZero, sync::Arc};

use azure_core::http::Etag;
use azure_storage_blob::{
    BlobClient, BlobContainerClient,
    models::{
        BlobClientDeleteOptions, BlobClientDownloadOptions, BlockBlobClientUploadOptions, DeleteSnapshotsOptionType,
    },
};
use bytes::Bytes;
use slight_capabilities::{Error, Readiness, Result};
use tokio::{sync::OnceCell, time::Instant};

use crate::{
    attempts::{Lost, attempt},
    errors::Failure,
    link::Link,
    whole::whole,
};

/// The longest name of a container, in characters.
pub(crate) const MAX_NAME: usize = 63;

/// More than any blob has: nothing is cut into parts by the SDK.
pub(crate) const NO_PARTS: u64 = 1 << 52;

/// Whether Azure takes this as the name of a container: small letters, digits, and single hyphens between them.
pub(crate) fn is_name(name: &str) -> bool {
    let word =
        |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    (3..=MAX_NAME).contains(&name.len()) && name.split('-').all(word)
}

/// What a write requires of the blob that is there.
#[derive(Clone)]
pub(crate) enum Required {
    Anything,
    Nothing,
    Version(Etag),
}

/// One container of the storage account.
pub(crate) struct Location {
    pub(crate) link: Arc<Link>,
    pub(crate) name: String,
    pub(crate) container: BlobContainerClient,
    create: bool,
    ready: OnceCell<()>,
}

impl Location {
    /// Asks for nothing yet. The container is made when it is first needed, if it may be.
    pub(crate) fn new(link: Arc<Link>, name: &str, create: bool) -> Self {
        let container = link.blobs.blob_container_client(name);
        Self { link, name: name.to_owned(), container, create, ready: OnceCell::new() }
    }

    pub(crate) fn error(&self, failure: Failure) -> Error {
        failure.into_error(&self.name)
    }

    pub(crate) fn blob(&self, name: &str) -> BlobClient {
        self.container.blob_client(name)
    }

    /// Whether the container is there.
    pub(crate) async fn is_there(&self) -> Result<bool> {
        match self.link.ask(Lost::SendAgain, || self.container.get_properties(None)).await {
            Ok(_) => Ok(true),
            Err(failure) if failure.is_no_container() => Ok(false),
            Err(failure) => Err(self.error(failure)),
        }
    }

    /// Checks that the container is there, and makes it if it is missing and may be made: until that has come out well once.
    pub(crate) async fn prepare(&self) -> Result<()> {
        self.ready.get_or_try_init(|| self.check()).await.copied()
    }

    pub(crate) fn is_prepared(&self) -> bool {
        self.ready.initialized()
    }

    /// Says whether the container is there, or would be made.
    pub(crate) async fn inspect(&self) -> Result<Readiness> {
        let name = &self.name;
        if self.is_there().await? {
            Ok(Readiness::Ready)
        } else if self.create {
            Ok(Readiness::ToBeCreated(format!("the container {name}")))
        } else {
            Err(Error::not_found(format!(
                "there is no container {name:?} in the storage account; make it, or set create = true"
            )))
        }
    }

    async fn check(&self) -> Result<()> {
        if self.inspect().await? == Readiness::Ready {
            return Ok(());
        }
        self.make(self.link.deadline()).await.map(drop).map_err(|failure| self.error(failure))
    }

    /// Makes the container; false if somebody else was faster.
    async fn make(&self, deadline: Instant) -> Result<bool, Failure> {
        match attempt(deadline, Lost::SendAgain, || self.container.create(None)).await {
            Ok(_) => Ok(true),
            Err(failure) if failure.code() == "ContainerAlreadyExists" => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    /// Sends a request about the container or a blob in it, as a call of its own.
    pub(crate) async fn ask<T, Asking>(&self, lost: Lost, ask: impl Fn() -> Asking) -> Result<T, Failure>
    where
        Asking: Future<Output = azure_core::Result<T>>,
    {
        self.ask_by(self.link.deadline(), lost, ask).await
    }

    /// As [`ask`](Self::ask), by a deadline. Where the container has gone, and may be made, it is made again: somebody
    /// else than we removed it, and all that is written from now on is kept.
    pub(crate) async fn ask_by<T, Asking>(
        &self,
        deadline: Instant,
        lost: Lost,
        ask: impl Fn() -> Asking,
    ) -> Result<T, Failure>
    where
        Asking: Future<Output = azure_core::Result<T>>,
    {
        match attempt(deadline, lost, &ask).await {
            Err(failure) if failure.is_no_container() && self.create => {}
            answer => return answer,
        }
        if self.make(deadline).await? && self.is_prepared() {
            let name = &self.name;
            tracing::warn!("the container {name:?} had been deleted with all that was in it; it was made again, empty");
        }
        attempt(deadline, lost, ask).await
    }

    /// Reads a blob of at most so many bytes in one request; `None` if it is not there.
    pub(crate) async fn get(&self, name: &str, limit: u64, deadline: Instant) -> Result<Option<(Bytes, Etag)>> {
        let blob = self.blob(name);
        let ask = || async {
            let options = BlobClientDownloadOptions {
                method_options: whole(),
                partition_size: NonZero::new(NO_PARTS as usize),
                ..Default::default()
            };
            let found = blob.download(Some(options)).await?;
            let length = found.properties.content_length.unwrap_or(0);
            let content = if length > limit { Bytes::new() } else { found.body.collect().await? };
            Ok((length, content, found.properties.etag))
        };
        match self.ask_by(deadline, Lost::SendAgain, ask).await {
            Ok((length, ..)) if length > limit => Err(Error::too_large(format!("the blob {name:?}"), length, limit)),
            Ok((_, content, Some(version))) => Ok(Some((content, version))),
            Ok(_) => Err(Error::other("Azure told no ETag of a blob")),
            Err(failure) if failure.is_missing() => Ok(None),
            Err(failure) => Err(self.error(failure)),
        }
    }

    /// Writes a blob in one request.
    pub(crate) async fn put(
        &self,
        name: &str,
        content: Bytes,
        required: Required,
        lost: Lost,
        deadline: Instant,
    ) -> Result<(), Failure> {
        let blob = self.blob(name).block_blob_client();
        let (if_match, if_none_match) = match required {
            Required::Anything => (None, None),
            Required::Nothing => (None, Some(Etag::from("*"))),
            Required::Version(version) => (Some(version), None),
        };
        let ask = || {
            let options = BlockBlobClientUploadOptions {
                if_match: if_match.clone(),
                if_none_match: if_none_match.clone(),
                partition_size: NonZero::new(NO_PARTS),
                ..Default::default()
            };
            blob.upload(content.clone().into(), Some(options))
        };
        match self.ask_by(deadline, lost, &ask).await {
            Err(failure) if failure.is_of_another_type() && if_match.is_none() && if_none_match.is_none() => {}
            stored => return stored.map(drop),
        }
        self.remove(name).await?;
        self.ask_by(deadline, lost, ask).await.map(drop)
    }

    /// Removes a blob with its snapshots, if it is there.
    pub(crate) async fn delete(&self, name: &str) -> Result<()> {
        self.remove(name).await.map_err(|failure| self.error(failure))
    }

    pub(crate) async fn remove(&self, name: &str) -> Result<(), Failure> {
        let blob = self.blob(name);
        let ask = || {
            let delete_snapshots = Some(DeleteSnapshotsOptionType::Include);
            blob.delete(Some(BlobClientDeleteOptions { delete_snapshots, ..Default::default() }))
        };
        match self.ask(Lost::SendAgain, ask).await {
            Ok(_) => Ok(()),
            Err(failure) if failure.is_missing() => Ok(()),
            Err(failure) => Err(failure),
        }
    }

    /// Whether there is a blob of this name.
    pub(crate) async fn has(&self, name: &str) -> Result<bool> {
        let blob = self.blob(name);
        match self.ask(Lost::SendAgain, || blob.get_properties(None)).await {
            Ok(_) => Ok(true),
            Err(failure) if failure.is_missing() => Ok(false),
            Err(failure) => Err(self.error(failure)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_containers_are_those_that_azure_takes() {
        for name in ["slight-kv", "abc", "a-1", &"x".repeat(63)] {
            assert!(is_name(name), "{name:?}");
        }
        for name in ["", "ab", "A-b", "-ab", "ab-", "a--b", "a_b", "a/b", "..", &"x".repeat(64)] {
            assert!(!is_name(name), "{name:?}");
        }
    }
}
