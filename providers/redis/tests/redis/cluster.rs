use std::collections::BTreeSet;

use bytes::Bytes;
use serde_json::json;
use slight_capabilities::ErrorKind;
use slight_services::{RedisCluster, Server, present};

use crate::{
    listing::{has_all, list},
    support::{bucket, provider, redis},
};

#[tokio::test]
async fn keys_of_one_bucket_are_on_every_node_and_are_listed_completely() {
    let Some(mut cluster) = present(RedisCluster::start(3)) else { return };
    let bucket = bucket(&*provider(json!({ "url": cluster.url(), "cluster": true })).await).await;
    let keys: BTreeSet<_> = (0..3000).map(|number| format!("key/{number}")).collect();
    bucket.set_many(keys.iter().map(|key| (key.clone(), Bytes::from_static(b"1"))).collect()).await.unwrap();
    for node in cluster.nodes() {
        let size: usize = redis::cmd("DBSIZE").query_async(&mut redis(node).await).await.unwrap();
        assert!(size > 500, "a node has {size} keys");
    }
    let listed = list(&*bucket, None).await;
    assert_eq!(listed.len(), keys.len(), "each once");
    has_all(&listed, &keys);
}

/// Has a slot moved from one node to another, as an operator would, with `call` before it has ended.
async fn move_slot(from: &Server, to: &Server, slot: u16, call: impl AsyncFnOnce()) {
    let (mut source, mut destination) = (redis(from).await, redis(to).await);
    let id = async |connection: &mut redis::aio::MultiplexedConnection| -> String {
        redis::cmd("CLUSTER").arg("MYID").query_async(connection).await.unwrap()
    };
    let (from_id, to_id) = (id(&mut source).await, id(&mut destination).await);
    let set_slot = async |connection: &mut redis::aio::MultiplexedConnection, state: &str, node: &str| {
        let mut command = redis::cmd("CLUSTER");
        command.arg("SETSLOT").arg(slot).arg(state).arg(node).exec_async(connection).await.unwrap();
    };
    set_slot(&mut destination, "IMPORTING", &from_id).await;
    set_slot(&mut source, "MIGRATING", &to_id).await;
    let mut command = redis::cmd("CLUSTER");
    let keys: Vec<String> = command.arg("GETKEYSINSLOT").arg(slot).arg(100).query_async(&mut source).await.unwrap();
    for key in keys {
        let mut command = redis::cmd("MIGRATE");
        command.arg("127.0.0.1").arg(to.port()).arg(key).arg(0).arg(5000).exec_async(&mut source).await.unwrap();
    }
    call().await;
    set_slot(&mut destination, "NODE", &to_id).await;
    set_slot(&mut source, "NODE", &to_id).await;
}

#[tokio::test]
async fn calls_follow_a_slot_that_moves() {
    let Some(mut cluster) = present(RedisCluster::start(3)) else { return };
    let bucket = bucket(&*provider(json!({ "url": cluster.url(), "cluster": true })).await).await;
    bucket.set("{tag}value", "1".into()).await.unwrap();
    assert_eq!(bucket.increment("{tag}counter", 5).await.unwrap(), 5);
    let nodes = cluster.nodes();
    let mut slot = redis::cmd("CLUSTER");
    let slot: u16 = slot.arg("KEYSLOT").arg("{tag}").query_async(&mut redis(&nodes[0]).await).await.unwrap();
    let owner = usize::from(slot) * 3 / 16_384;
    let (from, to) = (&nodes[owner], &nodes[(owner + 1) % 3]);
    move_slot(from, to, slot, async || {
        // Both are at the other node already, which serves them to those alone who were sent there.
        assert_eq!(bucket.increment("{tag}counter", 1).await.unwrap(), 6);
        let entry = bucket.get("{tag}value").await.unwrap().unwrap();
        bucket.swap("{tag}value", Some(&entry.version), "2".into()).await.unwrap();
    })
    .await;
    assert_eq!(bucket.increment("{tag}counter", 1).await.unwrap(), 7);
    let many = ["{tag}value".to_owned(), "elsewhere".to_owned()];
    assert_eq!(bucket.get_many(&many).await.unwrap(), [Some(Bytes::from_static(b"2")), None]);
}

#[tokio::test]
async fn a_node_that_is_down_takes_its_own_keys_alone_with_it() {
    let Some(mut cluster) = present(RedisCluster::start(3)) else { return };
    let url = cluster.url();
    for node in cluster.nodes() {
        let mut command = redis::cmd("CONFIG");
        command.arg("SET").arg("cluster-require-full-coverage").arg("no");
        command.exec_async(&mut redis(node).await).await.unwrap();
    }
    let bucket = bucket(&*provider(json!({ "url": url, "cluster": true })).await).await;
    bucket.set("key", "1".into()).await.unwrap();
    cluster.nodes()[2].kill();
    let mut outcomes = BTreeSet::new();
    for number in 0..30 {
        match bucket.set(&format!("key/{number}"), "1".into()).await {
            Ok(()) => _ = outcomes.insert("stored"),
            Err(error) => {
                assert!(matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout), "{error}");
                outcomes.insert("refused");
                // Each refusal may take its time; one is enough.
                if outcomes.len() == 2 {
                    break;
                }
            }
        }
    }
    assert_eq!(outcomes.into_iter().collect::<Vec<_>>(), ["refused", "stored"]);
    cluster.nodes()[2].restart();
    for number in 0..30 {
        let key = format!("key/{number}");
        crate::support::eventually("service", async || bucket.set(&key, "2".into()).await.is_ok()).await;
    }
}
