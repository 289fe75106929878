use std::{
    fs,
    io::{self, Read},
    sync::Arc,
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use slight_capabilities::{
    Blob, ByteRange, ByteStream, Container, ContainerInfo, Cursor, Error, ObjectInfo, Page, Result,
};

use crate::{
    dir::Dir,
    errors::{is_missing, no_container, no_object, said},
    files::{blob, in_background},
    listing::page,
    location::Location,
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
    pub(crate) location: Arc<Location>,
    /// From the directory of all containers, or with existing locations from that of everything.
    pub(crate) path: Vec<String>,
    pub(crate) naming: Naming,
    /// The directory within `path`, for its cursors.
    pub(crate) scope: String,
}

impl Place {
    /// When it was created.
    pub(crate) fn created_at(&self) -> Result<SystemTime> {
        let directory = self.directory()?;
        let failed = |error| self.failed("reading", error);
        if self.naming == Naming::Encoded
            && let Some(at) = marked_at(&directory).map_err(failed)?
        {
            return Ok(at);
        }
        let metadata = directory.own_metadata().map_err(failed)?;
        // Not every file system knows when a directory was made.
        metadata.created().or_else(|_| metadata.modified()).map_err(failed)
    }

    /// Checks that the container is there.
    pub(crate) fn check(&self) -> Result<()> {
        let directory = self.directory()?;
        if self.naming == Naming::Literal {
            return Ok(());
        }
        let marker = directory.metadata(MARKER).map_err(|error| self.failed("opening", error))?;
        if marker.is_file() { Ok(()) } else { Err(no_container(&self.name)) }
    }

    /// The directory of the container.
    pub(crate) fn directory(&self) -> Result<Dir> {
        match self.naming {
            Naming::Literal => self.location.open_existing(&self.path),
            Naming::Encoded => {
                let directory = self.location.root()?.descend(&self.path);
                directory.map_err(|error| self.failed("opening", error))
            }
        }
    }

    /// The directories from that of the container along `directories`; `None` where they are missing.
    pub(crate) fn way(&self, directories: &[String]) -> Result<Option<Vec<Dir>>> {
        let mut way = match self.directory() {
            Err(error) if error.kind() == slight_capabilities::ErrorKind::NotFound => return Ok(None),
            directory => vec![directory?],
        };
        for part in directories {
            let Some(last) = way.last() else { return Ok(None) };
            match last.child(part) {
                Err(error) if is_missing(&error) => return Ok(None),
                next => way.push(next.map_err(|error| said("opening the object", error))?),
            }
        }
        Ok(Some(way))
    }

    /// The directory and the name of the file of an object; `NotFound` where there is no such directory.
    fn find(&self, object: &str) -> Result<(Dir, String)> {
        let mut path = self.naming.path(object)?;
        let missing = || no_object(object, &self.name);
        let name = path.pop().ok_or_else(missing)?;
        let directory = self.way(&path)?.and_then(|mut way| way.pop()).ok_or_else(missing)?;
        Ok((directory, name))
    }

    /// Opens an object that is there.
    pub(crate) fn open(&self, object: &str) -> Result<(fs::File, fs::Metadata)> {
        let (directory, name) = self.find(object)?;
        directory.file(&name).map_err(|error| {
            if is_missing(&error) { no_object(object, &self.name) } else { said("opening the object", error) }
        })
    }

    pub(crate) fn temporary(&self) -> Result<Temporary> {
        let directory = match self.naming {
            Naming::Literal => self.directory()?,
            Naming::Encoded => self.location.temporaries()?,
        };
        Temporary::create(directory).map_err(|error| said("making a temporary file", error))
    }

    pub(crate) fn failed(&self, doing: &str, error: io::Error) -> Error {
        if is_missing(&error) { no_container(&self.name) } else { said(&format!("{doing} the container"), error) }
    }
}

/// What the marker says, if it says a time: it may have been cut off, or be another program's.
fn marked_at(directory: &Dir) -> io::Result<Option<SystemTime>> {
    let (marker, _) = directory.file(MARKER)?;
    let mut text = Vec::new();
    marker.take(64).read_to_end(&mut text)?;
    let milliseconds = std::str::from_utf8(&text).ok().and_then(|text| text.trim().parse().ok());
    Ok(milliseconds.and_then(|at| SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(at))))
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
                place.naming.path(&object)?;
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
            let (directory, name) = place.find(&object)?;
            let metadata = match directory.metadata(&name) {
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
            let directory = place.directory()?;
            page(&directory, &after, PAGE + 1, &pick).map_err(|error| said("listing the container", error))
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
