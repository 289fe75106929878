//! What is particular to this provider.

#![allow(clippy::expect_used, reason = "the helpers are part of the tests")]

use std::{error::Error as _, sync::Arc};

use slight_capabilities::{Bucket, Capability, Error, ErrorKind, Provider, Readiness, Result};
use slight_provider_sled::{KeyValueSettings, Settings, Sled};
use tempfile::TempDir;

fn directory() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary directory")
}

fn settings(directory: &TempDir) -> Settings {
    Settings { path: directory.path().join("slight.sled"), key_value: KeyValueSettings::default() }
}

async fn opened(directory: &TempDir) -> Result<Sled> {
    let sled = Sled::new(settings(directory))?;
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
    for refused in refusals(settings(&directory)).await {
        assert_eq!(refused.kind(), ErrorKind::Unavailable);
        assert!(refused.message().contains("open already"), "{refused}");
        assert!(refused.source().is_none(), "{refused:?}");
    }
    bucket(&sled).await?.set("key", "value".into()).await?;
    drop(sled);
    let entry = bucket(&opened(&directory).await?).await?.get("key").await?;
    assert_eq!(entry.map(|entry| entry.value), Some("value".into()));
    Ok(())
}

/// How preparing and inspecting are refused.
async fn refusals(settings: Settings) -> [Error; 2] {
    let sled = Sled::new(settings).expect("good settings");
    [
        sled.inspect(Capability::KeyValue).await.expect_err("a refusal"),
        sled.prepare(Capability::KeyValue).await.expect_err("a refusal"),
    ]
}

#[tokio::test]
async fn what_is_missing_is_made_only_if_it_may_be() -> Result<()> {
    let directory = directory();
    let mut strict = settings(&directory);
    strict.key_value.create = false;
    let path = strict.path.display().to_string();
    for missing in refusals(strict.clone()).await {
        assert_eq!(missing.kind(), ErrorKind::NotFound, "{missing}");
        assert!(missing.message().contains(&path) && missing.message().contains("\"create\""), "{missing}");
    }
    assert!(!strict.path.exists());

    drop(opened(&directory).await?);
    strict.key_value.location = "elsewhere".into();
    for missing in refusals(strict).await {
        assert_eq!(missing.kind(), ErrorKind::NotFound);
        for part in [&*path, "\"elsewhere\"", "\"create\"", "\"location\""] {
            assert!(missing.message().contains(part), "{part} is missing in {missing}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn inspecting_makes_nothing() -> Result<()> {
    let directory = directory();
    let sled = Sled::new(settings(&directory))?;
    let missing = Readiness::ToBeCreated(format!("the sled database {}", settings(&directory).path.display()));
    assert_eq!(sled.inspect(Capability::KeyValue).await?, missing);
    assert!(!settings(&directory).path.exists());

    drop(opened(&directory).await?);
    let mut elsewhere = settings(&directory);
    elsewhere.key_value.location = "elsewhere".into();
    // Twice, since the first time must not have made it.
    for _ in 0..2 {
        let inspected = Sled::new(elsewhere.clone())?.inspect(Capability::KeyValue).await?;
        assert!(matches!(&inspected, Readiness::ToBeCreated(what) if what.contains("elsewhere")), "{inspected:?}");
    }
    assert_eq!(Sled::new(settings(&directory))?.inspect(Capability::KeyValue).await?, Readiness::Ready);
    Ok(())
}

#[tokio::test]
async fn what_is_no_database_is_refused_and_stays_as_it_was() -> Result<()> {
    let junk = vec![b'x'; 1_000_000];
    for known_to_sled in [false, true] {
        let directory = directory();
        let log = settings(&directory).path.join("db");
        if known_to_sled {
            drop(opened(&directory).await?);
        }
        std::fs::create_dir_all(settings(&directory).path).expect("a directory");
        for content in [&junk[..], b"x"] {
            std::fs::write(&log, content).expect("a file");
            for refused in refusals(settings(&directory)).await {
                assert_eq!(refused.kind(), ErrorKind::Invalid, "{refused}");
                assert!(refused.message().contains("slight.sled"), "{refused}");
            }
            assert!(std::fs::read(&log).expect("a file") == content, "it was changed");
        }
    }
    let directory = directory();
    std::fs::write(settings(&directory).path, "a file").expect("a file");
    for refused in refusals(settings(&directory)).await {
        assert_eq!(refused.kind(), ErrorKind::Invalid, "{refused}");
    }
    Ok(())
}

#[tokio::test]
async fn a_large_database_is_known_by_any_of_its_segments() -> Result<()> {
    let directory = directory();
    let sled = opened(&directory).await?;
    for number in 0..40 {
        bucket(&sled).await?.set(&format!("key {number}"), vec![b'x'; 100_000].into()).await?;
    }
    drop(sled);
    bucket(&opened(&directory).await?).await?.get("key 0").await?.expect("an entry");
    Ok(())
}

#[tokio::test]
async fn damage_is_told_without_the_types_of_sled() -> Result<()> {
    let directory = directory();
    drop(opened(&directory).await?);
    std::fs::write(settings(&directory).path.join("conf"), "nothing that sled knows").expect("a file");
    for refused in refusals(settings(&directory)).await {
        assert!(refused.message().contains("is damaged; restore it from a backup"), "{refused}");
        assert!(refused.source().is_none(), "{refused:?}");
    }
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
