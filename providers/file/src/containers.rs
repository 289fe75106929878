use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Write},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

use async_trait::async_trait;
use slight_capabilities::{BlobStore, Container, Error, ErrorKind, ObjectId, QualifiedName, Result};

use crate::{
    directory::{Directory, MARKER, Place},
    errors::{is_missing, said},
    files::{in_background, sync_directory},
    location::Location,
    names::path_of,
    naming::Naming,
    objects::{place, prune, put_below, sync_up},
    temporary::{new_name, sweep},
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

    async fn with<T: Send + 'static>(&self, work: impl FnOnce(&Location) -> Result<T> + Send + 'static) -> Result<T> {
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
                sweep(&path).map_err(|error| said("opening the location", error))?;
            }
            let scope = format!("existing/{name}");
            let place = Place { name, temporaries: path.clone(), path, naming: Naming::Literal, scope };
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

fn named(location: &Location, name: &QualifiedName) -> Place {
    Place {
        name: name.name.clone(),
        path: location.container(name),
        temporaries: location.temporaries(),
        naming: Naming::Encoded,
        scope: format!("container/{}", name.encoded()),
    }
}

/// Makes a container elsewhere and puts it in its place, so that it is there whole or not at all, and made by one alone.
fn make(location: &Location, name: &QualifiedName) -> Result<()> {
    let failed = |error| said("making the container", error);
    let made = location.temporaries().join(new_name());
    fs::create_dir(&made).and_then(|()| mark(&made)).map_err(failed)?;
    let (path, parts) = (location.container(name), path_of(&name.encoded()));
    let directories = parts.get(..parts.len().saturating_sub(1)).unwrap_or_default();
    let put = put_below(location.root(), directories, &mut || fs::rename(&made, &path));
    if let Err(error) = put {
        _ = fs::remove_dir_all(&made);
        // A directory takes the place of an empty one alone, and a container is not empty.
        return Err(match error.kind() {
            io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists => {
                Error::already_exists(format!("there is a container {:?} already", name.name))
            }
            _ => failed(error),
        });
    }
    sync_up(location.root(), &path).map_err(failed)
}

fn mark(directory: &Path) -> io::Result<()> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let mut marker = File::create_new(directory.join(MARKER))?;
    writeln!(marker, "{}", now.as_millis())?;
    marker.sync_all()?;
    sync_directory(directory)
}

/// Moves a container out of sight, all at once, and then removes what is in it.
fn delete(location: &Location, name: &QualifiedName) -> Result<()> {
    let failed = |error| said("removing the container", error);
    let (path, gone) = (location.container(name), location.temporaries().join(new_name()));
    match fs::rename(&path, &gone) {
        Err(error) if is_missing(&error) => return Ok(()),
        moved => moved.map_err(failed)?,
    }
    if let Some(directory) = prune(location.root(), &path) {
        match sync_directory(&directory) {
            Err(error) if is_missing(&error) => {}
            synced => synced.map_err(failed)?,
        }
    }
    match fs::remove_dir_all(&gone) {
        // Another process has found it and removed it.
        Err(error) if is_missing(&error) => Ok(()),
        // An upload that was not over has made a directory meanwhile. It is out of sight, and removed by a later start.
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
        removed => removed.map_err(failed),
    }
}
