use async_nats::jetstream::kv::Store;
use slight_capabilities::{Bucket, ErrorKind};

use crate::support::{apart, bucket, messages_in, nats, shared};

/// The bucket of a test, and what NATS's own client sees of it.
async fn both(url: &str, name: &str) -> (std::sync::Arc<dyn Bucket>, Store) {
    let bucket = bucket(&*apart(url, name).await).await;
    (bucket, nats(url).await.get_key_value(format!("{name}-kv")).await.unwrap())
}

#[tokio::test]
async fn other_clients_of_nats_read_and_write_the_same_entries() {
    let Some(url) = shared() else { return };
    let (bucket, store) = both(&url, "other-clients").await;
    bucket.set("a/b.c", "ours".into()).await.unwrap();
    assert_eq!(store.get("bucket.=.a/b.c").await.unwrap().unwrap(), "ours");
    store.put("bucket.=.theirs", "theirs".into()).await.unwrap();
    assert_eq!(bucket.get("theirs").await.unwrap().unwrap().value, "theirs");
}

#[tokio::test]
async fn what_another_client_has_deleted_is_not_there() {
    let Some(url) = shared() else { return };
    let (bucket, store) = both(&url, "deleted-by-others").await;
    for key in ["gone", "purged"] {
        bucket.set(key, "1".into()).await.unwrap();
    }
    let seen = bucket.get("gone").await.unwrap().unwrap();
    store.delete("bucket.=.gone").await.unwrap();
    store.purge("bucket.=.purged").await.unwrap();
    for key in ["gone", "purged"] {
        assert!(bucket.get(key).await.unwrap().is_none() && !bucket.exists(key).await.unwrap());
    }
    assert!(bucket.keys(None).await.unwrap().items.is_empty());
    let stale = bucket.swap("gone", Some(&seen.version), "2".into()).await.unwrap_err();
    assert_eq!(stale.kind(), ErrorKind::Conflict);
    bucket.swap("gone", None, "again".into()).await.unwrap();
    assert_eq!(bucket.increment("purged", 5).await.unwrap(), 5);
    assert_eq!(bucket.keys(None).await.unwrap().items, ["gone", "purged"]);
}

#[tokio::test]
async fn a_deleted_entry_leaves_nothing_behind() {
    let Some(url) = shared() else { return };
    let bucket = bucket(&*apart(&url, "nothing-left").await).await;
    let keys: Vec<_> = (0..100).map(|number| format!("key {number}")).collect();
    bucket.set_many(keys.iter().map(|key| (key.clone(), "1".into())).collect()).await.unwrap();
    assert_eq!(messages_in(&nats(&url).await, "KV_nothing-left-kv").await, 100);
    bucket.delete_many(&keys).await.unwrap();
    assert_eq!(messages_in(&nats(&url).await, "KV_nothing-left-kv").await, 0);
}

#[tokio::test]
async fn a_value_too_large_for_the_server_is_refused_with_the_limit() {
    let Some(url) = shared() else { return };
    let bucket = bucket(&*apart(&url, "too-large").await).await;
    let limit = 1024 * 1024 - 128;
    bucket.set("key", vec![0; limit].into()).await.unwrap();
    let entry = bucket.get("key").await.unwrap().unwrap();
    assert_eq!(entry.value.len(), limit);
    bucket.swap("key", Some(&entry.version), vec![1; limit].into()).await.unwrap();
    let error = bucket.set("key", vec![0; limit + 1].into()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(error.message().contains(&limit.to_string()), "{error}");
}
