use azure_storage_blob::models::{BlobContainerClientListBlobsOptions, ListBlobsResponse};
use futures_util::TryStreamExt;
use slight_capabilities::{Cursor, Error, Page, Result};

use crate::{attempts::Lost, location::Location};

/// How many blobs are listed in one request: 5,000 would be the most, of which a page is better read in parts.
const PAGE: i32 = 1000;

/// The names and sizes of all blobs whose names begin with `prefix`.
pub(crate) async fn sizes(location: &Location, prefix: &str) -> Result<Vec<(String, u64)>> {
    let (mut sizes, mut marker) = (Vec::new(), None);
    loop {
        let found = step(location, prefix, marker).await?;
        sizes.extend(
            found.blob_items.into_iter().filter_map(|blob| Some((blob.name?, blob.properties?.content_length?))),
        );
        marker = found.next_marker.filter(|marker| !marker.is_empty());
        if marker.is_none() {
            return Ok(sizes);
        }
    }
}

/// One page of the blobs whose names begin with `prefix`, as `read` has them of the rest of their names.
///
/// Azure may answer with no names and a place to go on at; then it is asked again.
pub(crate) async fn page(
    location: &Location,
    prefix: &str,
    read: fn(&str) -> Option<String>,
    cursor: Option<&Cursor>,
) -> Result<Page<String>> {
    let scope = ["azure", location.name.as_str(), prefix];
    let mut marker = match cursor {
        None => None,
        Some(cursor) => Some(String::from_utf8(cursor.payload(&scope)?).map_err(|_| odd())?),
    };
    loop {
        let found = step(location, prefix, marker).await?;
        let names = found.blob_items.iter().filter_map(|blob| blob.name.as_deref()?.strip_prefix(prefix));
        let items: Vec<_> = names.filter_map(read).collect();
        marker = found.next_marker.filter(|marker| !marker.is_empty());
        match &marker {
            None => return Ok(Page { items, next: None }),
            Some(marker) if !items.is_empty() => {
                return Ok(Page { items, next: Some(Cursor::new(&scope, marker.as_bytes())) });
            }
            Some(_) => {}
        }
    }
}

async fn step(location: &Location, prefix: &str, marker: Option<String>) -> Result<ListBlobsResponse> {
    let ask = || {
        let options = BlobContainerClientListBlobsOptions {
            prefix: (!prefix.is_empty()).then(|| prefix.to_owned()),
            marker: marker.clone(),
            maxresults: Some(PAGE),
            ..Default::default()
        };
        let pages = location.container.list_blobs(Some(options));
        async {
            match pages?.into_pages().try_next().await? {
                Some(page) => page.into_model(),
                None => Ok(ListBlobsResponse::default()),
            }
        }
    };
    location.ask(Lost::SendAgain, ask).await.map_err(|failure| match failure.status() {
        // A marker that the checksum of the cursor let pass, and Azure does not.
        400 if marker.is_some() => odd(),
        _ => location.error(failure),
    })
}

fn odd() -> Error {
    Error::invalid("the cursor was not made by this listing; start again without one")
}
