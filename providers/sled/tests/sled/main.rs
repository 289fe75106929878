//! What is particular to this provider.

#![allow(clippy::expect_used, reason = "the helpers are part of the tests")]

mod operators;

use std::{
    error::Error as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

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

async fn within_a_while(mut holds: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting).await.expect("it holds in time");
}

/// What an operator does to the directory while it is open.
#[tokio::test]
async fn a_database_that_is_removed_or_replaced_is_opened_again() -> Result<()> {
    let directory = directory();
    let (sled, path) = (opened(&directory).await?, settings(&directory).path);
    let bucket = bucket(&sled).await?;
    bucket.set("key", "value".into()).await?;

    std::fs::rename(&path, directory.path().join("moved")).expect("a rename");
    bucket.set("new", "value".into()).await?;
    assert_eq!((bucket.exists("key").await?, bucket.exists("new").await?), (false, true));
    std::fs::remove_dir_all(&path).expect("a directory");
    std::fs::rename(directory.path().join("moved"), &path).expect("a rename");
    bucket.set("newer", "value".into()).await?;
    assert_eq!((bucket.exists("key").await?, bucket.exists("new").await?), (true, false));

    // Something else in its place is said, and left as it is.
    std::fs::rename(&path, directory.path().join("moved")).expect("a rename");
    std::fs::write(&path, "a file").expect("a file");
    assert_eq!(bucket.get("key").await.expect_err("a refusal").kind(), ErrorKind::Invalid);
    std::fs::remove_file(&path).expect("a file");
    std::fs::rename(directory.path().join("moved"), &path).expect("a rename");
    within_a_while(async || bucket.exists("newer").await.is_ok_and(|there| there)).await;
    Ok(())
}

#[tokio::test]
async fn what_others_wrote_does_not_stop_its_neighbours() -> Result<()> {
    let directory = directory();
    let sled = opened(&directory).await?;
    bucket(&sled).await?.set("good", "value".into()).await?;
    drop(sled);
    {
        let database = sled::open(settings(&directory).path).expect("a database");
        let tree = database.open_tree("slight-kv").expect("a tree");
        tree.insert(b"bucket\0\xff", b"odd").expect("an entry");
        tree.insert(b"bucket\0odd", b"odd").expect("an entry");
        tree.insert(b"\xff\xff", b"odd").expect("an entry");
    }
    let sled = opened(&directory).await?;
    let bucket = bucket(&sled).await?;
    assert_eq!(bucket.keys(None).await?.items, ["good", "odd"]);
    bucket.get("odd").await.expect_err("an entry that is not ours");
    bucket.set("odd", "ours".into()).await?;
    assert!(bucket.get("good").await?.is_some());
    Ok(())
}

#[test]
fn a_full_disk_is_said_and_got_over() -> slight_kill::Outcome {
    slight_kill::on_a_small_disk("a_full_disk_is_said_and_got_over", env!("CARGO_TARGET_TMPDIR"), 48, full_disk)
}

async fn on_disk(path: PathBuf) -> Result<Sled> {
    let sled = Sled::new(Settings { path, key_value: KeyValueSettings::default() })?;
    sled.prepare(Capability::KeyValue).await?;
    Ok(sled)
}

async fn full_disk(disk: &Path) -> Result<()> {
    let sled = on_disk(disk.join("slight.sled")).await?;
    let bucket = bucket(&sled).await?;
    bucket.set("before", "value".into()).await?;
    // The disk fills up while it is written to.
    let filled = slight_kill::fill_while_writing(disk, bucket.clone()).await;
    let slight_kill::Filled { filler, acknowledged, full } = filled.expect("a full disk");
    assert_eq!(full.kind(), ErrorKind::Unavailable, "{full}");
    assert!(full.message().contains("full"), "{full:?}");
    assert!(bucket.exists("before").await?);

    // A start on the full disk, over what a kill leaves, is refused and does no damage.
    let image = slight_kill::image(&disk.join("slight.sled")).expect("files");
    std::fs::remove_file(&filler).expect("a file");
    for (path, content) in image {
        let path = disk.join("killed.sled").join(path.strip_prefix(disk.join("slight.sled")).expect("a path in it"));
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        std::fs::write(path, content).expect("a file");
    }
    let filler = slight_kill::fill(disk).expect("a full disk");
    let refused = on_disk(disk.join("killed.sled")).await.err().expect("a refusal");
    assert!(refused.message().contains("full"), "{refused}");

    std::fs::remove_file(filler).expect("a file");
    within_a_while(async || bucket.set("key", "value".into()).await.is_ok()).await;
    let killed = on_disk(disk.join("killed.sled")).await?;
    for bucket in [bucket, self::bucket(&killed).await?] {
        for key in &acknowledged {
            assert!(bucket.exists(key).await?, "{key} of {}", acknowledged.len());
        }
        assert!(bucket.exists("before").await?);
    }
    Ok(())
}
