use std::{
    collections::BTreeSet,
    io::{self, Write},
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

use async_trait::async_trait;
use slight_capabilities::{BlobStore, Container, Error, ErrorKind, ObjectId, QualifiedName, Result};

use crate::{
    dir::Dir,
    directory::{Directory, MARKER, Place},
    errors::{is_missing, said},
    files::in_background,
    location::Location,
    naming::Naming,
    objects::{place, prune, put_below, sync_way},
    temporary::{Temporary, new_name, remove_tree, sweep},
};

/// All containers of a location.
pub(crate) struct Containers {
    location: Arc<Location>,
    /// The existing locations in which leftovers have been looked for.
    swept: Mutex<BTreeSet<String>>,
}

impl Containers {
    pub(crate) fn new(location: Arc<Location>) -> Self {
        Self { location, swept: Mutex::default() }
    }

    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Arc<Location>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        in_background(self.location.clone(), move |location| work(&location)).await
    }

    /// True the first time.
    fn is_new(&self, location: &str) -> bool {
        self.swept.lock().unwrap_or_else(PoisonError::into_inner).insert(location.to_owned())
    }
}

#[async_trait]
impl BlobStore for Containers {
    async fn create(&self, container: &QualifiedName) -> Result<Arc<dyn Container>> {
        let name = container.clone();
        self.with(move |location| {
            make(location, &name)?;
            Ok(Arc::new(Directory(Arc::new(named(location, &name)))) as Arc<dyn Container>)
        })
        .await
    }

    async fn get(&self, container: &QualifiedName) -> Result<Arc<dyn Container>> {
        let name = container.clone();
        self.with(move |location| {
            let place = named(location, &name);
            place.check()?;
            Ok(Arc::new(Directory(Arc::new(place))) as Arc<dyn Container>)
        })
        .await
    }

    async fn existing(&self, location: &str) -> Result<Arc<dyn Container>> {
        let (name, is_new) = (location.to_owned(), self.is_new(location));
        self.with(move |location| {
            let path = location.existing(&name)?;
            if is_new {
                sweep(&location.open_existing(&path)?).map_err(|error| said("opening the location", error))?;
            }
            let scope = format!("existing/{name}");
            let place = Place { name, location: location.clone(), path, naming: Naming::Literal, scope };
            Ok(Arc::new(Directory(Arc::new(place))) as Arc<dyn Container>)
        })
        .await
    }

    async fn delete(&self, container: &QualifiedName) -> Result<()> {
        let name = container.clone();
        self.with(move |location| delete(location, &name)).await
    }

    async fn exists(&self, container: &QualifiedName) -> Result<bool> {
        let name = container.clone();
        self.with(move |location| match named(location, &name).check() {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            checked => checked.map(|()| true),
        })
        .await
    }

    async fn copy(&self, source: &ObjectId, destination: &ObjectId) -> Result<()> {
        let (source, destination) = (source.clone(), destination.clone());
        self.with(move |location| {
            let (from, to) = (named(location, &source.container), named(location, &destination.container));
            from.check()?;
            to.check()?;
            let (mut file, _) = from.open(&source.object)?;
            if source == destination {
                return Ok(());
            }
            let mut temporary = to.temporary()?;
            // Within the system, and on some file systems without copying any bytes.
            io::copy(&mut file, &mut temporary.file).map_err(|error| said("copying the object", error))?;
            place(&to, &destination.object, temporary)
        })
        .await
    }
}

fn named(location: &Arc<Location>, name: &QualifiedName) -> Place {
    Place {
        name: name.name.clone(),
        location: location.clone(),
        path: Location::container(name),
        naming: Naming::Encoded,
        scope: format!("container/{}", name.encoded()),
    }
}

/// Makes a container elsewhere and puts it in its place, so that it is there whole or not at all, and made by one alone.
fn make(location: &Arc<Location>, name: &QualifiedName) -> Result<()> {
    let failed = |error| said("making the container", error);
    let (temporaries, made) = (location.temporaries()?, new_name());
    let marked = temporaries.make_directory(&made).and_then(|()| temporaries.child(&made)).and_then(|made| mark(&made));
    marked.map_err(failed)?;
    let put = put_below(&|| location.root(), &Location::container(name), &failed, &mut |directory, container| {
        // A directory takes the place of an empty one alone, and a container is not empty.
        temporaries.rename(&made, directory, container)
    });
    match put {
        Ok(way) => sync_way(&way).map_err(failed),
        Err(error) => {
            // What stays is removed by a later start.
            _ = remove_tree(&temporaries, &made);
            let place = named(location, name);
            if place.directory().is_ok() { adopt(&place) } else { Err(error) }
        }
    }
}

/// Makes a directory a container again that has lost its marker, with what is in it; a container stays as it is.
fn adopt(place: &Place) -> Result<()> {
    let failed = |error| said("making the container", error);
    let there_is = || Error::already_exists(format!("there is a container {:?} already", place.name));
    let directory = place.directory()?;
    match directory.metadata(MARKER) {
        Ok(marker) if marker.is_file() => return Err(there_is()),
        Ok(_) => {
            let mut marker = Temporary::create(place.location.temporaries()?).map_err(failed)?;
            writeln!(marker.file, "{}", now()).and_then(|()| marker.finish()).map_err(failed)?;
            marker.rename(&directory, MARKER).and_then(|()| directory.sync()).map_err(failed)?;
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => match mark(&directory) {
            // Somebody else was first.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(there_is()),
            marked => marked.map_err(failed)?,
        },
        Err(error) => return Err(failed(error)),
    }
    tracing::warn!("the container {:?} had lost its file {MARKER}; it was made anew, with what is in it", place.name);
    Ok(())
}

fn mark(directory: &Dir) -> io::Result<()> {
    let mut marker = directory.create(MARKER)?;
    writeln!(marker, "{}", now())?;
    marker.sync_all()?;
    directory.sync()
}

/// In milliseconds since 1970.
fn now() -> u128 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis()
}

/// Moves a container out of sight, all at once, and then removes what is in it.
fn delete(location: &Arc<Location>, name: &QualifiedName) -> Result<()> {
    let failed = |error| said("removing the container", error);
    let (temporaries, gone) = (location.temporaries()?, new_name());
    let path = Location::container(name);
    let Some((container, directories)) = path.split_last() else { return Ok(()) };
    let root = Place { path: Vec::new(), ..named(location, name) };
    let Some(mut way) = root.way(directories)? else { return Ok(()) };
    let moved = way.last().map_or(Ok(()), |directory| directory.rename(container, &temporaries, &gone));
    match moved {
        Err(error) if is_missing(&error) => return Ok(()),
        moved => moved.map_err(failed)?,
    }
    prune(&mut way, directories);
    way.last().map_or(Ok(()), Dir::sync).map_err(failed)?;
    // What was there may be a link or a file of another program.
    if !temporaries.is_directory(&gone) {
        return temporaries.remove(&gone).map_err(failed);
    }
    match remove_tree(&temporaries, &gone) {
        // Another process has found it and removed it.
        Err(error) if is_missing(&error) => Ok(()),
        // An upload that was not over has made a directory meanwhile. It is out of sight, and removed by a later start.
        // The same of what may not be removed.
        Err(error) if matches!(error.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::PermissionDenied) => {
            Ok(())
        }
        removed => removed.map_err(failed),
    }
}
