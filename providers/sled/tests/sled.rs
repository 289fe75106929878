//! What is particular to this provider.

#![allow(clippy::expect_used, reason = "the helpers are part of the tests")]

use std::sync::Arc;

use slight_capabilities::{Bucket, Capability, ErrorKind, Provider, Result};
use slight_provider_sled::{KeyValueSettings, Settings, Sled};
use tempfile::TempDir;

fn directory() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary directory")
}

fn settings(directory: &TempDir) -> Settings {
    Settings { path: directory.path().join("slight.sled"), key_value: KeyValueSettings::default() }
}

async fn opened(directory: &TempDir) -> Result<Sled> {
    let sled = Sled::open(settings(directory)).await?;
    sled.prepare(Capability::KeyValue).await?;
    Ok(sled)
}

async fn bucket(sled: &Sled) -> Result<Arc<dyn Bucket>> {
    sled.key_value().expect("key-value").open(&"bucket".into()).await
}

#[tokio::test]
async fn an_open_database_is_refused_to_others_and_free_when_it_is_closed() -> Result<()> {
    let directory = directory();
    let sled = opened(&directory).await?;
    let second = Sled::open(settings(&directory)).await.err().expect("a refusal");
    assert_eq!(second.kind(), ErrorKind::Unavailable);
    assert!(second.message().contains("open already"), "{second}");
    bucket(&sled).await?.set("key", "value".into()).await?;
    drop(sled);
    let entry = bucket(&opened(&directory).await?).await?.get("key").await?;
    assert_eq!(entry.map(|entry| entry.value), Some("value".into()));
    Ok(())
}

#[tokio::test]
async fn what_is_missing_is_made_only_if_it_may_be() -> Result<()> {
    let directory = directory();
    let mut strict = settings(&directory);
    strict.key_value.create = false;
    let missing = Sled::open(strict.clone()).await.err().expect("a refusal");
    assert_eq!(missing.kind(), ErrorKind::NotFound, "{missing}");
    assert!(!strict.path.exists());

    drop(opened(&directory).await?);
    strict.key_value.location = "elsewhere".into();
    let missing = Sled::open(strict).await?.prepare(Capability::KeyValue).await.expect_err("a refusal");
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    assert!(missing.message().contains("elsewhere"), "{missing}");
    Ok(())
}

#[tokio::test]
async fn a_version_is_not_used_again_after_the_database_was_closed() -> Result<()> {
    let directory = directory();
    let sled = opened(&directory).await?;
    bucket(&sled).await?.set("key", "old".into()).await?;
    let old = bucket(&sled).await?.get("key").await?.expect("an entry");
    drop(sled);
    let bucket = bucket(&opened(&directory).await?).await?;
    bucket.delete("key").await?;
    bucket.set("key", "old".into()).await?;
    let refused = bucket.swap("key", Some(&old.version), "new".into()).await.expect_err("a conflict");
    assert_eq!(refused.kind(), ErrorKind::Conflict);
    Ok(())
}
