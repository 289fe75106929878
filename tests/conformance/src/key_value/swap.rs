use bytes::Bytes;
use slight_capabilities::{ErrorKind, Version};

use super::{Scope, entry_of, text, value_of};
use crate::{
    check::{Outcome, done_or, equal, refused},
    race::race,
};

/// How many tasks swap at once.
const RACERS: usize = 16;

pub(super) async fn swap_creates_an_absent_key_once(scope: &Scope) -> Outcome {
    let bucket = scope.bucket().await?;
    bucket.swap("key", None, "first".into()).await?;
    equal("the value created", value_of(&*bucket, "key").await?, text("first"))?;
    refused("creating it again", bucket.swap("key", None, "second".into()).await, ErrorKind::Conflict)?;
    equal("the value after the conflict", value_of(&*bucket, "key").await?, text("first"))
}

pub(super) async fn swap_replaces_the_version_it_saw(scope: &Scope) -> Outcome {
    let bucket = scope.bucket().await?;
    bucket.set("key", "0".into()).await?;
    for value in ["1", "2", "2", ""] {
        let entry = entry_of(&*bucket, "key").await?;
        bucket.swap("key", Some(&entry.version), value.into()).await?;
        equal("the value swapped in", value_of(&*bucket, "key").await?, text(value))?;
    }
    Ok(())
}

pub(super) async fn swap_with_an_old_version_is_a_conflict(scope: &Scope) -> Outcome {
    let bucket = scope.bucket().await?;
    bucket.set("key", "old".into()).await?;
    let old = entry_of(&*bucket, "key").await?;
    bucket.set("key", "new".into()).await?;
    refused("after a set", bucket.swap("key", Some(&old.version), "x".into()).await, ErrorKind::Conflict)?;
    equal("the value after the conflict", value_of(&*bucket, "key").await?, text("new"))?;

    let new = entry_of(&*bucket, "key").await?;
    bucket.swap("key", Some(&new.version), "newer".into()).await?;
    refused("after a swap", bucket.swap("key", Some(&new.version), "x".into()).await, ErrorKind::Conflict)?;
    equal("the value after the conflict", value_of(&*bucket, "key").await?, text("newer"))
}

pub(super) async fn swap_on_a_deleted_key_is_a_conflict(scope: &Scope) -> Outcome {
    let bucket = scope.bucket().await?;
    bucket.set("key", "old".into()).await?;
    let old = entry_of(&*bucket, "key").await?;
    bucket.delete("key").await?;
    refused("after a delete", bucket.swap("key", Some(&old.version), "x".into()).await, ErrorKind::Conflict)?;
    equal("the value after the conflict", value_of(&*bucket, "key").await?, None)?;

    bucket.set("key", "made anew".into()).await?;
    refused("after it was made anew", bucket.swap("key", Some(&old.version), "x".into()).await, ErrorKind::Conflict)?;
    equal("the value after the conflict", value_of(&*bucket, "key").await?, text("made anew"))
}

pub(super) async fn swap_tells_an_empty_value_from_an_absent_one(scope: &Scope) -> Outcome {
    let bucket = scope.bucket().await?;
    bucket.set("key", Bytes::new()).await?;
    refused("creating over an empty value", bucket.swap("key", None, "x".into()).await, ErrorKind::Conflict)?;
    equal("the value after the conflict", value_of(&*bucket, "key").await?, text(""))?;
    let empty = entry_of(&*bucket, "key").await?;
    bucket.swap("key", Some(&empty.version), "full".into()).await?;
    equal("the value swapped in", value_of(&*bucket, "key").await?, text("full"))
}

pub(super) async fn racing_swaps_have_one_winner(scope: &Scope) -> Outcome {
    let bucket = scope.bucket().await?;
    let mut expected: Option<Version> = None;
    // The first turn is for the creation of the entry, the others for its replacement.
    for turn in 0..5 {
        let swaps = race(RACERS, |racer| {
            let (bucket, expected, value) = (bucket.clone(), expected.clone(), format!("{turn}/{racer}"));
            async move { (bucket.swap("key", expected.as_ref(), value.clone().into()).await, value) }
        });
        let mut winners = Vec::new();
        for (swapped, value) in swaps.await? {
            if done_or(format_args!("a swap to {value:?} in race {turn}"), swapped, ErrorKind::Conflict)? {
                winners.push(value);
            }
        }
        let entry = entry_of(&*bucket, "key").await?;
        equal("the winners and the value left", winners, vec![String::from_utf8_lossy(&entry.value).into_owned()])?;
        expected = Some(entry.version);
    }
    Ok(())
}
