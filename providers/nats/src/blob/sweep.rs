//! Removes what is left of uploads that nobody ended: their process died, or lost the server.

use serde::Deserialize;
use serde_json::json;
use slight_capabilities::Result;

use super::{
    container::NatsContainer,
    mark::Mark,
    names::{bucket_prefix, stream},
};
use crate::{
    errors,
    link::{Link, Lost},
    stream::Stored,
};

/// A page of the names of all streams.
#[derive(Deserialize)]
struct Names {
    total: usize,
    #[serde(default)]
    streams: Option<Vec<String>>,
}

/// Looks through all containers of a location.
pub(super) async fn sweep(link: &Link, location: &str) {
    if let Err(error) = sweep_all(link, location).await {
        tracing::warn!("looking for what is left of uploads to NATS failed: {error}");
    }
}

async fn sweep_all(link: &Link, location: &str) -> Result<()> {
    let prefix = stream(&bucket_prefix(location));
    let mut offset = 0;
    loop {
        let page = link.api::<Names>("STREAM.NAMES", &json!({ "offset": offset }), Lost::SendAgain).await?;
        let page = page.map_err(|error| errors::refused("", error))?;
        let names = page.streams.unwrap_or_default();
        if names.is_empty() {
            return Ok(());
        }
        offset += names.len();
        for name in names.iter().filter(|name| name.starts_with(&prefix)) {
            if let Some(bucket) = name.strip_prefix(&stream("")) {
                // One that cannot be looked through is no reason to leave the others.
                if let Err(error) = sweep_one(&NatsContainer::own(link, bucket)).await {
                    tracing::warn!(
                        "looking for what is left of uploads to the object store {bucket:?} failed: {error}"
                    );
                }
            }
        }
        if offset >= page.total {
            return Ok(());
        }
    }
}

async fn sweep_one(container: &NatsContainer) -> Result<()> {
    let (marks, mut from) = (container.subjects.marks(), 1);
    while let Some(stored) = container.stream.next(from, &marks).await? {
        from = stored.sequence + 1;
        resolve(container, &stored).await?;
    }
    Ok(())
}

/// Removes a mark that holds no more, and the content that it stands for unless that is an object.
async fn resolve(container: &NatsContainer, stored: &Stored) -> Result<()> {
    let (Some(mark), Some(id)) = (Mark::read(&stored.data), container.subjects.marked(&stored.subject)) else {
        return Ok(());
    };
    if !mark.is_over() {
        return Ok(());
    }
    let object = container.state(&mark.object).await?.object.filter(|object| object.meta.id == id);
    let unused = match &object {
        Some(object) => object.meta.replaced(),
        None => Some(id),
    };
    if let Some(unused) = unused {
        container.stream.purge(&container.subjects.chunks(unused), None).await?;
    }
    container.stream.purge(&stored.subject, None).await
}
