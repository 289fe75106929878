//! What is particular to this provider.

#![allow(clippy::expect_used, reason = "the helpers are part of the tests")]

mod operators;

use std::{path::Path, sync::Arc, time::Duration};

use futures_util::StreamExt;
use slight_capabilities::{
    Bucket, Capability, Deliveries, Delivery, ErrorKind, Message, Messaging, Outcome, Provider, Readiness, Result,
    Subscription,
};
use slight_provider_redb::{KeyValueSettings, MessagingSettings, Redb, Settings};
use tempfile::TempDir;

/// Longer than any test: what comes again comes for another reason than that the lease has ended.
const LONG: Duration = Duration::from_secs(3600);

fn directory() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary directory")
}

fn settings(directory: &TempDir) -> Settings {
    Settings {
        path: directory.path().join("slight.redb"),
        key_value: KeyValueSettings::default(),
        messaging: MessagingSettings::default(),
    }
}

async fn opened(directory: &TempDir) -> Result<Redb> {
    let redb = Redb::new(settings(directory))?;
    redb.prepare(Capability::KeyValue).await?;
    redb.prepare(Capability::Messaging).await?;
    Ok(redb)
}

async fn bucket(redb: &Redb) -> Result<Arc<dyn Bucket>> {
    redb.key_value().expect("key-value").open(&"bucket".into()).await
}

fn messaging(redb: &Redb) -> Arc<dyn Messaging> {
    redb.messaging().expect("messaging")
}

async fn member(redb: &Redb, capacity: usize) -> Result<Deliveries> {
    let subscription = Subscription { topics: vec!["topic".into()], group: "group".into(), capacity, visibility: LONG };
    messaging(redb).subscribe(subscription).await
}

async fn publish(redb: &Redb, texts: &[&str]) -> Result<()> {
    for text in texts {
        let message = Message { data: (*text).to_owned().into(), ..Message::default() };
        messaging(redb).publish(&"topic".into(), message).await?;
    }
    Ok(())
}

async fn next(deliveries: &mut Deliveries) -> Box<dyn Delivery> {
    let delivery = tokio::time::timeout(Duration::from_secs(30), deliveries.next()).await;
    delivery.expect("a delivery in time").expect("a stream that goes on").expect("a delivery")
}

fn text(delivery: &dyn Delivery) -> String {
    String::from_utf8_lossy(&delivery.message().data).into_owned()
}

#[tokio::test]
async fn an_open_file_is_refused_to_others_and_free_when_it_is_closed() -> Result<()> {
    let directory = directory();
    let redb = opened(&directory).await?;
    let second = Redb::new(settings(&directory))?;
    for refused in [
        second.prepare(Capability::KeyValue).await.expect_err("a refusal"),
        second.inspect(Capability::KeyValue).await.expect_err("a refusal"),
    ] {
        assert_eq!(refused.kind(), ErrorKind::Unavailable);
        assert!(refused.message().contains("open already"), "{refused}");
    }
    bucket(&redb).await?.set("key", "value".into()).await?;
    drop(redb);
    let entry = bucket(&opened(&directory).await?).await?.get("key").await?;
    assert_eq!(entry.map(|entry| entry.value), Some("value".into()));
    Ok(())
}

#[tokio::test]
async fn what_is_missing_is_made_only_if_it_may_be() -> Result<()> {
    let directory = directory();
    let mut strict = settings(&directory);
    strict.path = directory.path().join("data/slight.redb");
    strict.key_value.create = false;
    let file = strict.path.display().to_string();
    let redb = Redb::new(strict)?;
    for refused in [
        redb.prepare(Capability::KeyValue).await.expect_err("a refusal"),
        redb.inspect(Capability::KeyValue).await.expect_err("a refusal"),
    ] {
        assert_eq!(refused.kind(), ErrorKind::NotFound, "{refused}");
        assert!(refused.message().contains(&file) && refused.message().contains("\"create\""), "{refused}");
    }
    assert!(!directory.path().join("data").exists());

    // The file is made for the one, and the other is still missing in it.
    let missing = Readiness::ToBeCreated(format!("the database file {file}"));
    assert_eq!(redb.inspect(Capability::Messaging).await?, missing);
    redb.prepare(Capability::Messaging).await?;
    for refused in [
        redb.prepare(Capability::KeyValue).await.expect_err("a refusal"),
        redb.inspect(Capability::KeyValue).await.expect_err("a refusal"),
    ] {
        assert_eq!(refused.kind(), ErrorKind::NotFound, "{refused}");
        for part in [&*file, "\"key-value/slight-kv\"", "\"create\"", "\"location\""] {
            assert!(refused.message().contains(part), "{part} is missing in {refused}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn inspecting_makes_and_changes_nothing() -> Result<()> {
    let directory = directory();
    let (redb, path) = (Redb::new(settings(&directory))?, settings(&directory).path);
    for capability in [Capability::KeyValue, Capability::Messaging] {
        assert!(matches!(redb.inspect(capability).await?, Readiness::ToBeCreated(_)));
    }
    assert!(!path.exists());
    redb.prepare(Capability::KeyValue).await?;
    drop(redb);
    let before = std::fs::read(&path).expect("a file");
    let redb = Redb::new(settings(&directory))?;
    assert_eq!(redb.inspect(Capability::KeyValue).await?, Readiness::Ready);
    let Readiness::ToBeCreated(what) = redb.inspect(Capability::Messaging).await? else { panic!("it is not there") };
    assert!(what.contains("messaging/slight-msg/"), "{what}");
    assert!(std::fs::read(&path).expect("a file") == before, "the file was changed");
    Ok(())
}

#[tokio::test]
async fn an_empty_file_was_a_database_once() -> Result<()> {
    let directory = directory();
    std::fs::write(settings(&directory).path, "").expect("a file");
    let redb = Redb::new(settings(&directory))?;
    for refused in [
        redb.inspect(Capability::KeyValue).await.expect_err("a refusal"),
        redb.prepare(Capability::KeyValue).await.expect_err("a refusal"),
    ] {
        assert!(refused.message().contains("is empty") && refused.message().contains("backup"), "{refused}");
    }
    assert_eq!(std::fs::metadata(settings(&directory).path).expect("a file").len(), 0);
    // Nothing is left of making one.
    std::fs::remove_file(settings(&directory).path).expect("a file");
    drop(opened(&directory).await?);
    assert_eq!(std::fs::read_dir(directory.path()).expect("a directory").count(), 1);
    Ok(())
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() -> Result<()> {
    let directory = directory();
    std::fs::write(settings(&directory).path, [b'x'; 10_000]).expect("a file");
    let redb = Redb::new(settings(&directory))?;
    for refused in [
        redb.prepare(Capability::KeyValue).await.expect_err("a refusal"),
        redb.inspect(Capability::KeyValue).await.expect_err("a refusal"),
    ] {
        assert_eq!(refused.kind(), ErrorKind::Invalid, "{refused}");
    }
    Ok(())
}

#[tokio::test]
async fn a_damaged_file_is_refused_with_advice() -> Result<()> {
    let directory = directory();
    let redb = opened(&directory).await?;
    bucket(&redb).await?.set("key", vec![b'x'; 1_000_000].into()).await?;
    drop(redb);
    let path = settings(&directory).path;
    let whole = std::fs::read(&path).expect("a file");
    // Cut off, and with a header that says something else than what follows it.
    let mut scrambled = whole.clone();
    scrambled[64..512].fill(0xAA);
    let mut pages = whole.clone();
    pages[4096..].fill(0xAA);
    for damaged in [&whole[..whole.len() / 2], &whole[..1000], &scrambled, &pages] {
        std::fs::write(&path, damaged).expect("a file");
        let redb = Redb::new(settings(&directory))?;
        let refused = redb.prepare(Capability::KeyValue).await.expect_err("a refusal");
        assert!(refused.message().contains("backup"), "{refused:?}");
        assert!(refused.message().contains("slight.redb"), "{refused:?}");
    }
    Ok(())
}

#[tokio::test]
async fn leases_end_with_the_process_and_counts_go_on() -> Result<()> {
    let directory = directory();
    let redb = opened(&directory).await?;
    let mut deliveries = member(&redb, 1).await?;
    publish(&redb, &["message"]).await?;
    assert_eq!(next(&mut deliveries).await.count(), 1);
    drop(deliveries);
    drop(redb);

    let redb = opened(&directory).await?;
    let again = next(&mut member(&redb, 1).await?).await;
    assert_eq!((text(&*again), again.count()), ("message".to_owned(), 2));
    // A second call changes nothing: the lease holds.
    redb.prepare(Capability::Messaging).await?;
    again.settle(Outcome::Ack).await
}

#[tokio::test]
async fn messages_come_in_the_order_of_their_publication() -> Result<()> {
    let redb = opened(&directory()).await?;
    let mut deliveries = member(&redb, 3).await?;
    let texts: Vec<String> = (0..100).map(|number| number.to_string()).collect();
    publish(&redb, &texts.iter().map(String::as_str).collect::<Vec<_>>()).await?;
    for expected in &texts {
        let delivery = next(&mut deliveries).await;
        assert_eq!(text(&*delivery), *expected);
        delivery.settle(Outcome::Ack).await?;
    }
    Ok(())
}

#[tokio::test]
async fn what_was_fetched_and_not_seen_is_given_back_as_it_was() -> Result<()> {
    let redb = opened(&directory()).await?;
    let mut first = member(&redb, 10).await?;
    publish(&redb, &["a", "b", "c", "d"]).await?;
    let seen = next(&mut first).await;
    drop(first);
    let mut second = member(&redb, 10).await?;
    for _ in 0..3 {
        let delivery = next(&mut second).await;
        assert_eq!(delivery.count(), 1, "{}", text(&*delivery));
        delivery.settle(Outcome::Ack).await?;
    }
    seen.settle(Outcome::Ack).await
}

#[tokio::test]
async fn acked_messages_leave_the_file() -> Result<()> {
    let directory = directory();
    let redb = opened(&directory).await?;
    for group in ["group", "other"] {
        messaging(&redb).create_group(&"topic".into(), group).await?;
    }
    publish(&redb, &["a", "b", "c"]).await?;
    let mut deliveries = member(&redb, 1).await?;
    for _ in 0..3 {
        next(&mut deliveries).await.settle(Outcome::Ack).await?;
    }
    messaging(&redb).delete_group(&"topic".into(), "other").await?;
    drop((deliveries, redb));
    assert_eq!(rows(&settings(&directory).path), 0);
    Ok(())
}

/// How many rows the tables of messages have, but for those of the groups.
fn rows(path: &Path) -> u64 {
    use redb::{ReadableDatabase, ReadableTableMetadata, TableHandle};
    let database = redb::Database::open(path).expect("a database");
    let transaction = database.begin_read().expect("a transaction");
    let tables = transaction.list_tables().expect("tables");
    let messages = tables.filter(|table| table.name().starts_with("messaging/") && !table.name().ends_with("/groups"));
    messages.map(|table| transaction.open_untyped_table(table).expect("a table").len().expect("a length")).sum()
}

/// What a process that is killed at this moment leaves, in a directory of its own.
fn killed(directory: &TempDir) -> TempDir {
    let image = self::directory();
    std::fs::copy(settings(directory).path, settings(&image).path).expect("a copy");
    image
}

#[tokio::test]
async fn what_was_fetched_and_not_handed_out_is_not_counted() -> Result<()> {
    let directory = directory();
    let redb = opened(&directory).await?;
    let mut deliveries = member(&redb, 10).await?;
    publish(&redb, &["a", "b", "c", "d"]).await?;
    // Both are in handlers when the process is killed; the others were leased with them.
    let _held = [next(&mut deliveries).await, next(&mut deliveries).await];
    publish(&redb, &["e"]).await?;

    let image = killed(&directory);
    let redb = opened(&image).await?;
    let mut deliveries = member(&redb, 10).await?;
    let mut counts = std::collections::BTreeMap::new();
    for _ in 0..5 {
        let delivery = next(&mut deliveries).await;
        counts.insert(text(&*delivery), delivery.count());
        delivery.settle(Outcome::Ack).await?;
    }
    assert_eq!(counts.into_iter().map(|(text, count)| format!("{text}{count}")).collect::<String>(), "a2b2c1d1e1");
    Ok(())
}

/// One at a time is handled, and the process is killed over it, again and again.
#[tokio::test]
async fn killing_processes_does_not_use_up_messages_that_nobody_saw() -> Result<()> {
    let mut directory = directory();
    let redb = opened(&directory).await?;
    drop(member(&redb, 12).await?);
    let texts: Vec<String> = (0..12).map(|number| number.to_string()).collect();
    publish(&redb, &texts.iter().map(String::as_str).collect::<Vec<_>>()).await?;
    drop(redb);
    let mut handed_out = std::collections::BTreeMap::<String, u32>::new();
    for _ in 0..13 {
        let redb = opened(&directory).await?;
        let held = next(&mut member(&redb, 12).await?).await;
        let times = handed_out.entry(text(&*held)).or_default();
        *times += 1;
        assert_eq!(held.count(), *times, "{}", text(&*held));
        let image = killed(&directory);
        drop((held, redb));
        directory = image;
    }
    // Nobody stood in the way of the others.
    assert_eq!(handed_out.len(), 12);
    Ok(())
}

#[tokio::test]
async fn a_fetch_that_nobody_waits_for_is_given_back() -> Result<()> {
    let redb = opened(&directory()).await?;
    drop(member(&redb, 1).await?);
    publish(&redb, &["message"]).await?;
    for _ in 0..5 {
        let mut deliveries = member(&redb, 1).await?;
        // It asks for messages, and goes away at some moment of that.
        for _ in 0..3 {
            let asked = std::future::poll_fn(|context| std::task::Poll::Ready(deliveries.poll_next_unpin(context)));
            if let std::task::Poll::Ready(Some(Ok(delivery))) = asked.await {
                delivery.settle(Outcome::Release).await?;
            }
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(next(&mut member(&redb, 1).await?).await.count(), 1);
    Ok(())
}

/// What an operator does to the file while it is open.
#[tokio::test]
async fn a_file_that_is_removed_or_replaced_is_opened_again() -> Result<()> {
    let directory = directory();
    let (redb, path) = (opened(&directory).await?, settings(&directory).path);
    let bucket = bucket(&redb).await?;
    let mut deliveries = member(&redb, 5).await?;
    bucket.set("old", "value".into()).await?;
    let version = bucket.get("old").await?.expect("an entry").version;
    let older = killed(&directory);
    bucket.set("key", "value".into()).await?;

    std::fs::remove_file(&path).expect("a file");
    // Nothing is lost that is acknowledged from here on, and the group is there before the first message.
    publish(&redb, &["after the removal"]).await?;
    bucket.set("new", "value".into()).await?;
    assert_eq!((bucket.get("key").await?, bucket.exists("new").await?), (None, true));
    let delivery = next(&mut deliveries).await;
    assert_eq!(text(&*delivery), "after the removal");
    delivery.settle(Outcome::Ack).await?;
    bucket.set("old", "value".into()).await?;
    assert_eq!(bucket.swap("old", Some(&version), "x".into()).await.expect_err("another").kind(), ErrorKind::Conflict);

    std::fs::rename(settings(&older).path, &path).expect("an older copy");
    publish(&redb, &["after the replacement"]).await?;
    assert_eq!(bucket.get("old").await?.map(|entry| entry.version), Some(version));
    let delivery = next(&mut deliveries).await;
    assert_eq!(text(&*delivery), "after the replacement");

    // Cut off: nothing can be done but to say so, until it is restored.
    let whole = std::fs::read(&path).expect("a file");
    std::fs::File::options().write(true).open(&path).expect("a file").set_len(0).expect("a length");
    for refused in [
        bucket.set("key", "value".into()).await.expect_err("a refusal"),
        bucket.get("old").await.expect_err("a refusal"),
    ] {
        assert!(refused.message().contains("is empty"), "{refused}");
    }
    std::fs::write(&path, &whole[..whole.len() / 2]).expect("a file");
    within_a_while(async || {
        bucket.set("key", "value".into()).await.expect_err("refused").message().contains("damaged")
    })
    .await;
    std::fs::write(&path, whole).expect("a file");
    within_a_while(async || bucket.set("key", "value".into()).await.is_ok()).await;
    assert!(bucket.exists("old").await?);
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

#[tokio::test]
async fn what_others_wrote_does_not_stop_its_neighbours() -> Result<()> {
    let directory = directory();
    let redb = opened(&directory).await?;
    drop(member(&redb, 5).await?);
    publish(&redb, &["good", "odd", "also good"]).await?;
    bucket(&redb).await?.set("good", "value".into()).await?;
    drop(redb);
    {
        let database = redb::Database::open(settings(&directory).path).expect("a database");
        let transaction = database.begin_write().expect("a transaction");
        let bodies = redb::TableDefinition::<u64, &[u8]>::new("messaging/slight-msg/bodies");
        let entries = redb::TableDefinition::<(&str, &str), &[u8]>::new("key-value/slight-kv");
        {
            use redb::ReadableTable;
            let mut bodies = transaction.open_table(bodies).expect("a table");
            let second = bodies.iter().expect("rows").nth(1).expect("a row").expect("a row").0.value();
            bodies.insert(second, &b"\x07odd"[..]).expect("a row");
            transaction.open_table(entries).expect("a table").insert(("bucket", "odd"), &b"odd"[..]).expect("a row");
        }
        transaction.commit().expect("a commit");
    }
    let redb = opened(&directory).await?;
    let mut deliveries = member(&redb, 5).await?;
    for expected in ["good", "\u{7}odd", "also good"] {
        let delivery = next(&mut deliveries).await;
        assert_eq!(text(&*delivery), expected);
        delivery.settle(Outcome::Ack).await?;
    }
    let bucket = bucket(&redb).await?;
    assert_eq!(bucket.keys(None).await?.items, ["good", "odd"]);
    assert!(bucket.get("good").await?.is_some());
    bucket.get("odd").await.expect_err("an entry that is not ours");
    bucket.set("odd", "ours".into()).await
}

#[test]
fn a_full_disk_is_said_and_got_over() -> slight_kill::Outcome {
    slight_kill::on_a_small_disk("a_full_disk_is_said_and_got_over", env!("CARGO_TARGET_TMPDIR"), 24, full_disk)
}

async fn on_disk(disk: &Path, name: &str) -> Result<Redb> {
    let path = disk.join(name);
    let settings = Settings { path, key_value: KeyValueSettings::default(), messaging: MessagingSettings::default() };
    let redb = Redb::new(settings)?;
    redb.prepare(Capability::KeyValue).await?;
    redb.prepare(Capability::Messaging).await?;
    Ok(redb)
}

async fn full_disk(disk: &Path) -> Result<()> {
    let redb = on_disk(disk, "slight.redb").await?;
    let bucket = bucket(&redb).await?;
    bucket.set("before", "value".into()).await?;
    // The disk fills up while it is written to: what redb meets then is what it gives a file up for.
    let filled = slight_kill::fill_while_writing(disk, bucket.clone()).await;
    let slight_kill::Filled { filler, acknowledged, full } = filled.expect("a full disk");
    assert!(full.message().contains("full"), "{full:?}");
    let refused = bucket.set("key", "value".into()).await.expect_err("a refusal");
    assert_eq!(refused.kind(), ErrorKind::Unavailable, "{refused}");
    assert!(refused.message().contains("full"), "{refused}");

    // A start on the full disk, over what a kill leaves, reads or is refused, and does no damage.
    let image = std::fs::read(disk.join("slight.redb")).expect("a file");
    std::fs::remove_file(&filler).expect("a file");
    std::fs::write(disk.join("killed.redb"), image).expect("a file");
    let filler = slight_kill::fill(disk).expect("a full disk");
    if let Err(refused) = on_disk(disk, "killed.redb").await {
        assert_eq!(refused.kind(), ErrorKind::Unavailable, "{refused}");
    }
    let new = on_disk(disk, "new.redb").await.err().expect("a refusal");
    assert_eq!(new.kind(), ErrorKind::Unavailable, "{new}");
    assert!(!disk.join("new.redb").exists());

    std::fs::remove_file(filler).expect("a file");
    within_a_while(async || bucket.set("key", "value".into()).await.is_ok()).await;
    for bucket in [bucket, self::bucket(&on_disk(disk, "killed.redb").await?).await?] {
        for key in &acknowledged {
            assert!(bucket.exists(key).await?, "{key} of {}", acknowledged.len());
        }
        assert!(bucket.exists("before").await?);
    }
    Ok(())
}

#[test]
fn what_cannot_be_written_is_read() -> slight_kill::Outcome {
    slight_kill::on_a_small_disk("what_cannot_be_written_is_read", env!("CARGO_TARGET_TMPDIR"), 24, read_only)
}

async fn read_only(disk: &Path) -> Result<()> {
    bucket(&on_disk(disk, "slight.redb").await?).await?.set("key", "value".into()).await?;
    let remount = |how: &str| {
        let mounted = std::process::Command::new("mount").args(["-o", &format!("remount,{how}")]).arg(disk).status();
        assert!(mounted.expect("mount").success());
    };
    remount("ro");
    let path = disk.join("slight.redb");
    let settings = Settings { path, key_value: KeyValueSettings::default(), messaging: MessagingSettings::default() };
    let redb = Redb::new(settings)?;
    assert_eq!(redb.inspect(Capability::KeyValue).await?, Readiness::Ready);
    redb.prepare(Capability::KeyValue).await?;
    let bucket = bucket(&redb).await?;
    assert!(bucket.exists("key").await?);
    for denied in [
        bucket.set("key", "changed".into()).await.expect_err("a refusal"),
        redb.prepare(Capability::Messaging).await.expect_err("a refusal"),
    ] {
        assert_eq!(denied.kind(), ErrorKind::Denied, "{denied}");
        assert!(denied.message().contains("slight.redb"), "{denied}");
    }
    remount("rw");
    bucket.set("key", "changed".into()).await?;
    Ok(())
}
