use std::{collections::BTreeSet, time::Duration};

use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use slight_capabilities::{Error, Result};

use crate::{
    errors::{self, Effect},
    store::{Store, ask},
};

/// How many keys one request takes.
const BATCH: usize = 1000;

/// Some servers remove one after the other: so many keys make the time limit a second longer.
const KEYS_A_SECOND: u64 = 50;

/// Removes those of the keys that are there, a thousand with each request.
pub(crate) async fn remove(store: &Store, keys: BTreeSet<String>) -> Result<()> {
    let mut objects = Vec::with_capacity(keys.len());
    for key in keys {
        objects.push(ObjectIdentifier::builder().key(key).build().map_err(|_| errors::odd())?);
    }
    for batch in objects.chunks(BATCH) {
        remove_batch(store, batch.to_vec()).await?;
    }
    Ok(())
}

async fn remove_batch(store: &Store, objects: Vec<ObjectIdentifier>) -> Result<()> {
    let deadline = store.deadline() + Duration::from_secs(objects.len() as u64 / KEYS_A_SECOND);
    let all = Delete::builder().set_objects(Some(objects)).quiet(true).build().map_err(|_| errors::odd())?;
    let request = store.client.delete_objects().bucket(store.bucket()).delete(all);
    let answer = ask(deadline, request.send()).await.map_err(|failure| store.error(failure, Effect::Repeatable))?;
    // Each of them may have been refused by itself.
    match answer.errors().first().map(|error| error.code().unwrap_or_default()) {
        None => Ok(()),
        Some("NoSuchBucket") => Err(Error::unavailable(format!("the S3 bucket {:?} has been deleted", store.bucket()))),
        Some("AccessDenied") => Err(Error::denied(format!(
            "these credentials may not delete in S3, or a policy or an object lock forbids it (S3 bucket {:?})",
            store.bucket()
        ))),
        Some(_) => Err(Error::unavailable("S3 could not delete all of them; try again")),
    }
}
