use futures_util::StreamExt;
use slight_capabilities::{ByteRange, Container, ErrorKind, ObjectId, Result};

use super::{
    Scope,
    body::{MIB, holds, lacks, received, write},
    new_name, objects_of,
};
use crate::{
    check::{Outcome, done_or, equal_bytes},
    content::pattern,
    race::until_wait,
};

/// Calls are dropped when they wait for the first time, the second, and so on to this.
const WAITS: usize = 8;

/// Requires an object whole, or none, where what was dropped may come about at any moment.
async fn whole_or_absent(container: &dyn Container, object: &str, whole: &[u8]) -> Outcome {
    match container.read(object, ByteRange::ALL).await {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error.into()),
        Ok(blob) => equal_bytes(format_args!("object {object:?}"), &received(blob).await?, whole),
    }
}

/// Reads an object as far as it goes before it has waited so often.
async fn begins_to_read(container: &dyn Container, object: &str, wait: usize) -> Result<()> {
    let reading = async {
        let mut blob = container.read(object, ByteRange::ALL).await?;
        while let Some(chunk) = blob.body.next().await {
            chunk?;
        }
        Ok(())
    };
    until_wait(wait, reading).await.transpose().map(drop)
}

pub(super) async fn a_dropped_call_is_done_or_not_done(scope: &Scope) -> Outcome {
    let (name, content) = (new_name(), pattern(1, 3 * MIB));
    let container = scope.create(&name).await?;
    write(&*container, "source", content.clone()).await?;
    let id = |object: &str| ObjectId { container: name.clone(), object: object.to_owned() };
    for wait in 1..=WAITS {
        let (copy, deleted, other) = (format!("copy/{wait}"), format!("deleted/{wait}"), new_name());
        write(&*container, &deleted, "1").await?;
        until_wait(wait, scope.store.copy(&id("source"), &id(&copy))).await.transpose()?;
        begins_to_read(&*container, "source", wait).await?;
        until_wait(wait, container.stat("source")).await.transpose()?;
        until_wait(wait, container.info()).await.transpose()?;
        until_wait(wait, container.list(None)).await.transpose()?;
        until_wait(wait, container.delete(std::slice::from_ref(&deleted))).await.transpose()?;
        until_wait(wait, scope.store.get(&name)).await.transpose()?;
        until_wait(wait, scope.store.exists(&other)).await.transpose()?;
        until_wait(wait, scope.create(&other)).await.transpose()?;

        whole_or_absent(&*container, &copy, &content).await?;
        whole_or_absent(&*container, &deleted, b"1").await?;
        // Whether it is there by now or not: it can be made, used, and removed.
        done_or("creating it after all", scope.store.create(&other).await, ErrorKind::AlreadyExists)?;
        write(&*scope.store.get(&other).await?, "object", "1").await?;
        until_wait(wait, scope.store.delete(&other)).await.transpose()?;
        scope.store.delete(&other).await?;
    }
    holds(&*container, "source", &content).await?;
    scope.store.copy(&id("source"), &id("after")).await?;
    holds(&*container, "after", &content).await?;
    container.delete(&objects_of(&*container).await?).await?;
    lacks(&*container, "source").await
}
