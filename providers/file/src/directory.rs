use std::{fs, path::PathBuf, sync::Arc, time::Duration};
use std::{io, time::SystemTime};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use slight_capabilities::{
    Blob, ByteRange, ByteStream, Container, ContainerInfo, Cursor, Error, ObjectInfo, Page, Result,
};

use crate::{
    errors::{is_missing, no_container, no_object, said},
    files::{blob, in_background, open},
    listing::page,
    naming::Naming,
    objects::{place, remove},
    temporary::Temporary,
};

/// In every container: when it was created, in milliseconds since 1970. No object has this path.
pub(crate) const MARKER: &str = ".slight-container";

/// How many objects a page has.
const PAGE: usize = 1000;

/// How many bytes are gathered before they are written.
const CHUNK: usize = 256 * 1024;

/// A directory with objects in it.
#[derive(Clone)]
pub(crate) struct Directory(pub(crate) Arc<Place>);

pub(crate) struct Place {
    /// The name that the guest, or the operator, knows.
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    /// Where temporary files are made, in the same file system.
    pub(crate) temporaries: PathBuf,
    pub(crate) naming: Naming,
    /// The directory within `path`, for its cursors.
    pub(crate) scope: String,
}

impl Place {
    /// When it was created.
    pub(crate) fn created_at(&self) -> Result<SystemTime> {
        if self.naming == Naming::Literal {
            let metadata = fs::metadata(&self.path).map_err(|error| self.failed("opening", error))?;
            // Not every file system knows when a directory was made.
            return metadata.created().or_else(|_| metadata.modified()).map_err(|error| self.failed("reading", error));
        }
        let text = fs::read_to_string(self.path.join(MARKER)).map_err(|error| self.failed("opening", error))?;
        let milliseconds = text.trim().parse().map_err(|error: std::num::ParseIntError| {
            let sentence = format!("the file {MARKER} of container {:?} holds no time; restore it", self.name);
            Error::other(sentence).with_source(error)
        })?;
        Ok(SystemTime::UNIX_EPOCH + Duration::from_millis(milliseconds))
    }

    /// Checks that the container is there.
    pub(crate) fn check(&self) -> Result<()> {
        let sign = if self.naming == Naming::Literal { self.path.clone() } else { self.path.join(MARKER) };
        fs::metadata(sign).map(|_| ()).map_err(|error| self.failed("opening", error))
    }

    /// The path of an object.
    pub(crate) fn file(&self, object: &str) -> Result<PathBuf> {
        let mut path = self.path.clone();
        path.extend(self.naming.path(&self.path, object)?);
        Ok(path)
    }

    /// Opens an object that is there.
    pub(crate) fn open(&self, object: &str) -> Result<(fs::File, fs::Metadata)> {
        open(&self.file(object)?).map_err(|error| {
            if is_missing(&error) { no_object(object, &self.name) } else { said("opening the object", error) }
        })
    }

    pub(crate) fn temporary(&self) -> Result<Temporary> {
        Temporary::create(&self.temporaries).map_err(|error| said("making a temporary file", error))
    }

    pub(crate) fn failed(&self, doing: &str, error: io::Error) -> Error {
        if is_missing(&error) { no_container(&self.name) } else { said(&format!("{doing} the container"), error) }
    }
}

impl Directory {
    async fn with<T: Send + 'static>(&self, work: impl FnOnce(&Place) -> Result<T> + Send + 'static) -> Result<T> {
        in_background(self.0.clone(), move |place| work(&place)).await
    }
}

#[async_trait]
impl Container for Directory {
    async fn info(&self) -> Result<ContainerInfo> {
        let created_at = self.with(Place::created_at).await?;
        Ok(ContainerInfo { created_at })
    }

    async fn read(&self, object: &str, range: ByteRange) -> Result<Blob> {
        let object = object.to_owned();
        self.with(move |place| {
            let (file, metadata) = place.open(&object)?;
            blob(file, metadata.len(), range)
        })
        .await
    }

    async fn write(&self, object: &str, body: ByteStream) -> Result<()> {
        let object = object.to_owned();
        let temporary = self.with({
            let object = object.clone();
            move |place| {
                place.check()?;
                place.naming.path(&place.path, &object)?;
                place.temporary()
            }
        });
        let temporary = receive(temporary.await?, body).await?;
        self.with(move |at| place(at, &object, temporary)).await
    }

    async fn stat(&self, object: &str) -> Result<ObjectInfo> {
        let object = object.to_owned();
        self.with(move |place| {
            let missing = || no_object(&object, &place.name);
            let metadata = match fs::symlink_metadata(place.file(&object)?) {
                Err(error) if is_missing(&error) => return Err(missing()),
                metadata => metadata.map_err(|error| said("looking at the object", error))?,
            };
            if !metadata.is_file() {
                return Err(missing());
            }
            let created_at = metadata.modified().map_err(|error| said("looking at the object", error))?;
            Ok(ObjectInfo { size: metadata.len(), created_at })
        })
        .await
    }

    async fn list(&self, cursor: Option<&Cursor>) -> Result<Page<String>> {
        let scope = ["file", &self.0.scope];
        let after = match cursor {
            None => Vec::new(),
            Some(cursor) => {
                let last = String::from_utf8(cursor.payload(&scope)?);
                self.0.naming.after(&last.map_err(|_| Error::invalid("the cursor was not made by this listing"))?)
            }
        };
        let listing = self.with(move |place| {
            place.check()?;
            let pick = |path: &[String]| place.naming.object(path);
            page(&place.path, &after, PAGE + 1, &pick).map_err(|error| said("listing the container", error))
        });
        let mut items = listing.await?;
        let more = items.len() > PAGE;
        items.truncate(PAGE);
        let last = items.last().filter(|_| more);
        let next = last.map(|last| Cursor::new(&scope, last.as_bytes()));
        Ok(Page { items, next })
    }

    async fn delete(&self, objects: &[String]) -> Result<()> {
        let objects = objects.to_vec();
        self.with(move |place| remove(place, &objects)).await
    }
}

/// Writes a stream to a file, and no more of it is taken than that.
async fn receive(mut temporary: Temporary, mut body: ByteStream) -> Result<Temporary> {
    let mut gathered = BytesMut::new();
    while let Some(bytes) = body.next().await {
        let bytes = bytes?;
        if gathered.len() + bytes.len() < CHUNK {
            gathered.extend_from_slice(&bytes);
        } else {
            temporary = append(temporary, [gathered.split().freeze(), bytes]).await?;
        }
    }
    append(temporary, [gathered.freeze(), Bytes::new()]).await
}

async fn append(temporary: Temporary, chunks: [Bytes; 2]) -> Result<Temporary> {
    in_background(temporary, move |mut temporary| {
        for chunk in &chunks {
            io::Write::write_all(&mut temporary.file, chunk).map_err(|error| said("writing the object", error))?;
        }
        Ok(temporary)
    })
    .await
}
