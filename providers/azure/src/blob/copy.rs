use std::time::Duration;

use azure_storage_blob::{
    BlobClient,
    models::{BlobClientGetPropertiesResultHeaders, BlobClientStartCopyFromUrlResultHeaders, CopyStatus},
};
use slight_capabilities::{Error, Result};
use tokio::time::{Instant, sleep};

use super::container::no_object;
use crate::{attempts::Lost, errors::Failure, location::Location};

/// How long to wait before asking how far a copy is: twice as long each time, and at most the second.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Copies a blob within the container of Azure, without its bytes passing through here.
pub(super) async fn copy(location: &Location, from: &str, to: &str, object: &str) -> Result<()> {
    let deadline = location.link.deadline();
    let source = location.blob(from).url().to_string();
    let destination = location.blob(to);
    let ask = || destination.start_copy_from_url(source.clone(), None);
    let started =
        location.ask_by(deadline, Lost::SendAgain, ask).await.map_err(|failure| match is_no_source(&failure) {
            true => no_object(object),
            false => location.error(failure),
        })?;
    let id = started.copy_id().ok().flatten();
    let mut status = started.copy_status().ok().flatten();
    let mut pause = FIRST_PAUSE;
    // Within an account it is mostly done at once.
    while matches!(status, Some(CopyStatus::Pending)) {
        if Instant::now() + pause >= deadline {
            return Err(give_up(location, &destination, id, object).await);
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
        let found = location.ask_by(deadline, Lost::SendAgain, || destination.get_properties(None)).await;
        let found = found.map_err(|failure| location.error(failure))?;
        // What was written over it meanwhile is no copy any more.
        status = found.copy_status().ok().flatten();
    }
    match status {
        Some(CopyStatus::Failed | CopyStatus::Aborted) => {
            Err(Error::other(format!("Azure gave up copying the object {object:?}")))
        }
        _ => Ok(()),
    }
}

/// Azure has a code of its own for a source that it cannot read.
fn is_no_source(failure: &Failure) -> bool {
    failure.is_missing() || (failure.status() == 404 && failure.code() == "CannotVerifyCopySource")
}

/// Ends a copy that takes longer than anybody waits.
async fn give_up(location: &Location, destination: &BlobClient, id: Option<String>, object: &str) -> Error {
    if let Some(id) = id {
        // Where this fails, the copy goes on.
        let _ = location.ask(Lost::SendAgain, || destination.abort_copy(&id, None)).await;
    }
    Error::timeout(format!("copying the object {object:?} took too long, and was ended"))
}
