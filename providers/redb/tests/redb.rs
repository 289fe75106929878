//! What is particular to this provider.

#![allow(clippy::expect_used, reason = "the helpers are part of the tests")]

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
    // An empty file, as a crash leaves it, is taken for none.
    std::fs::write(&path, "").expect("a file");
    assert!(matches!(redb.inspect(Capability::KeyValue).await?, Readiness::ToBeCreated(_)));

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
