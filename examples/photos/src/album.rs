//! The container `photos` as a whole.

use crate::wasi::blobstore::blobstore;
use crate::wasi::blobstore::container::Container;

const CONTAINER: &str = "photos";

/// Opens the container, and makes it the first time.
pub fn open() -> Result<Container, String> {
    if blobstore::container_exists(CONTAINER)? {
        return blobstore::get_container(CONTAINER);
    }
    // Another copy of this program may be quicker; then it is there.
    blobstore::create_container(CONTAINER).or_else(|_| blobstore::get_container(CONTAINER))
}

/// Every photo's name, sorted.
pub fn list() -> Result<Vec<String>, String> {
    let listing = open()?.list_objects()?;
    let mut names = Vec::new();
    loop {
        let (more, ended) = listing.read_stream_object_names(1000)?;
        names.extend(more);
        if ended {
            names.sort();
            return Ok(names);
        }
    }
}

/// Removes a photo; one that is not there counts as removed.
pub fn remove(name: &str) -> Result<(), String> {
    open()?.delete_object(name)
}
