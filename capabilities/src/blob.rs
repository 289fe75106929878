use std::{ops::Range, pin::Pin, sync::Arc, time::SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use futures_core::Stream;

use crate::{Cursor, Page, QualifiedName, Result};

/// The bytes of an object, in chunks of any size. An `Err` item is the last one.
pub type ByteStream = Pin<Box<dyn Stream<Item = Result<Bytes>> + Send + 'static>>;

/// A stretch of an object, by first and last byte, both inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteRange {
    /// The first byte wanted.
    pub start: u64,
    /// The last byte wanted; clamped to the object. `u64::MAX` asks for all the rest.
    pub end: u64,
}

impl ByteRange {
    /// The whole object.
    pub const ALL: Self = Self { start: 0, end: u64::MAX };

    /// The bytes meant in an object of `size` bytes, half open. Empty when `end < start` or `start` is past the end.
    pub fn clamp(self, size: u64) -> Range<u64> {
        let end = self.end.saturating_add(1).min(size);
        if self.end < self.start || self.start >= end { 0..0 } else { self.start..end }
    }
}

/// What [`Container::read`] gives: the bytes of one version of an object.
pub struct Blob {
    /// How many bytes the stream will yield: the size of the range, not of the object.
    pub size: u64,
    /// The bytes. It yields exactly `size` bytes or ends with an error.
    pub body: ByteStream,
}

/// What is known of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerInfo {
    /// When it was created.
    pub created_at: SystemTime,
}

/// What is known of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectInfo {
    /// Its size in bytes.
    pub size: u64,
    /// When it was written last.
    pub created_at: SystemTime,
}

/// An object by container and name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectId {
    /// Its container.
    pub container: QualifiedName,
    /// Its name within the container.
    pub object: String,
}

/// Containers of objects.
///
/// # Behavior
/// - **create makes an empty container**: it exists, lists nothing, and `created_at` is now, within a minute.
/// - **create of an existing container is already exists**: and it stays as it was.
/// - **get of a missing container is not found**.
/// - **get sees what create made**: also through another handle.
/// - **exists follows create and delete**: false before, true between, false after.
/// - **delete removes the objects**: a container created anew under the same name is empty.
/// - **delete of a missing container succeeds**: it is idempotent.
/// - **two containers are isolated**: same object name, different objects; also where one name starts the other.
/// - **a prefix isolates containers**: the same name under two prefixes is two containers; and prefix and name together are
///   never another prefix with another name (`shop` with `-a`, `shop-` with `a`).
/// - **container names may hold any characters**: as key-value keys, to 128 bytes.
/// - **a missing existing location is not found**: `existing` on what is not there.
/// - **an existing location has literal names**: `existing` finds the objects that another program put there, under the
///   names it gave them, and writes such.
/// - **objects never create containers**: an object named like another container's path makes no container.
///
/// Copy:
/// - **copy makes an equal object**: within a container and across two; the source stays; overwrites the destination.
/// - **copy of a missing object is not found**: and the destination stays as it was.
/// - **copy to a missing container is not found**: likewise from one.
/// - **copy of an object onto itself changes nothing**: it succeeds if the object is there, else it is not found.
#[async_trait]
pub trait BlobStore: Send + Sync + 'static {
    /// Creates a container.
    ///
    /// # Errors
    /// `AlreadyExists`.
    async fn create(&self, container: &QualifiedName) -> Result<Arc<dyn Container>>;

    /// Opens a container.
    ///
    /// # Errors
    /// `NotFound`.
    async fn get(&self, container: &QualifiedName) -> Result<Arc<dyn Container>>;

    /// Opens a location of the backend itself as a container, with literal object names: data of other programs.
    ///
    /// # Errors
    /// `NotFound`.
    async fn existing(&self, location: &str) -> Result<Arc<dyn Container>>;

    /// Removes a container with all its objects, if it is there.
    async fn delete(&self, container: &QualifiedName) -> Result<()>;

    /// Whether there is such a container.
    async fn exists(&self, container: &QualifiedName) -> Result<bool>;

    /// Copies an object by the backend's own means, over whatever the destination holds.
    ///
    /// # Errors
    /// `NotFound` for either container or the source object.
    async fn copy(&self, source: &ObjectId, destination: &ObjectId) -> Result<()>;
}

/// One container: objects named by 1 to 512 bytes of any UTF-8, of any size.
///
/// The runtime has checked the sizes of names before it calls. It never drops a running [`write`](Container::write): it
/// ends the stream with an error and waits for the clean-up.
///
/// A lost answer is `Unavailable` or `Timeout`, whatever the call: doing it again does no harm. After one of `write` the
/// object is the old one or the new one, whole.
///
/// # Behavior
/// - **an object comes back byte for byte**: empty, 1 byte, several chunks.
/// - **an object of 64 MiB streams through**: in chunks, both ways, checked by hash.
/// - **object names may hold any characters**: `a//b`, `..`, `.`, `/a`, `a/`, emoji, `%2F`, `\`, NUL, 512 bytes; and are told apart
///   exactly.
/// - **a name may be the path of another**: `a` and `a/b` are two objects side by side.
/// - **write overwrites**: the last write that returned is what is read, whole.
/// - **an object shows only when its stream ended well**: before that there is the old object or none.
/// - **a failed stream leaves nothing behind**: an `Err` item makes `write` fail with that error; the old object or none remains.
/// - **racing writes leave one whole object**: each ends `Ok` or `Conflict`, at least one `Ok`; never a mixture.
/// - **a stream is pulled no faster than it is stored**: `write` takes a bounded amount ahead, and nothing beyond that while
///   nobody polls it.
///
/// Reading:
/// - **a range is inclusive**: `0..=0` is one byte; the middle, the first and the last byte are right.
/// - **an end past the object is clamped**: the bytes from `start` to the last.
/// - **a start past the end is empty**: `Ok`, size 0; as is `end < start`, and any range of an empty object.
/// - **the size is that of the range**: `Blob::size` is what the stream yields.
/// - **a missing object is not found**: for `read` and `stat`.
/// - **a read gives one version whole**: while the object is overwritten or deleted, a reader gets the one or the other or an
///   error, never a mixture or a silent cut.
/// - **stat tells size and time**: the whole object's size; `created_at` is now, within a minute.
///
/// Listing and deleting:
/// - **an empty container lists as one empty page**.
/// - **every object is listed once**: 1,100 objects come in pages, no page empty unless it is the last.
/// - **clear removes every object**: 1,100 of them; the container stays.
/// - **delete removes the objects named**: many in one call, missing ones are no error, others stay.
/// - **a made up cursor is invalid**.
/// - **a dropped call is done or not done**: the runtime drops a call, or the stream of a read, that takes longer than
///   `limits.backend-timeout`. It is then done, or not, or will be soon; a copy is never there in part, and all other calls go on.
/// - **info tells when the container was created**.
#[async_trait]
pub trait Container: Send + Sync + 'static {
    /// What is known of the container.
    ///
    /// # Errors
    /// `NotFound` if it is gone by now.
    async fn info(&self) -> Result<ContainerInfo>;

    /// Opens an object, or a range of it, for reading.
    ///
    /// # Errors
    /// `NotFound`. Errors on the way are items of the stream.
    async fn read(&self, object: &str, range: ByteRange) -> Result<Blob>;

    /// Stores the stream as an object, over whatever is there, all at once when the stream has ended.
    ///
    /// # Errors
    /// The stream's own error, unchanged; `Conflict` when it lost a race; `TooLarge`.
    async fn write(&self, object: &str, body: ByteStream) -> Result<()>;

    /// What is known of an object.
    ///
    /// # Errors
    /// `NotFound`.
    async fn stat(&self, object: &str) -> Result<ObjectInfo>;

    /// One page of object names, in no promised order.
    ///
    /// # Errors
    /// `Invalid` for a cursor that this container did not give.
    async fn list(&self, cursor: Option<&Cursor>) -> Result<Page<String>>;

    /// Removes objects, those that are there.
    async fn delete(&self, objects: &[String]) -> Result<()>;

    /// Removes all objects. Not atomic: objects written meanwhile may stay.
    async fn clear(&self) -> Result<()> {
        loop {
            // Always the first page: what it listed is gone by the next turn.
            let page = self.list(None).await?;
            self.delete(&page.items).await?;
            if page.next.is_none() {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_inclusive_and_clamped() {
        let clamp = |start, end, size| ByteRange { start, end }.clamp(size);
        assert_eq!(clamp(0, 0, 5), 0..1);
        assert_eq!(clamp(1, 3, 5), 1..4);
        assert_eq!(clamp(2, 99, 5), 2..5);
        assert_eq!(ByteRange::ALL.clamp(5), 0..5);
        for (start, end, size) in [(5, 9, 5), (3, 2, 5), (0, 0, 0), (u64::MAX, u64::MAX, 5), (u64::MAX, 0, 5)] {
            assert!(clamp(start, end, size).is_empty(), "{start} {end} {size}");
        }
    }
}
