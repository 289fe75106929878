//! What goes to the server, by its own count.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use redis::{aio::MultiplexedConnection, cmd};

use crate::support::{bucket, connect, eventually, message, messaging, redis, server};

/// The commands since the last call, each with how often it came.
async fn commands(redis: &mut MultiplexedConnection) -> BTreeMap<String, u64> {
    let info: String = cmd("INFO").arg("commandstats").query_async(redis).await.unwrap();
    let () = cmd("CONFIG").arg("RESETSTAT").query_async(redis).await.unwrap();
    let counts = info.lines().filter_map(|line| line.strip_prefix("cmdstat_")?.split_once(":calls="));
    let counts = counts.map(|(name, rest)| (name.to_owned(), rest.split(',').next().unwrap().parse().unwrap()));
    counts.filter(|(name, _)| name != "info" && !name.starts_with("config")).collect()
}

fn once(name: &str) -> BTreeMap<String, u64> {
    BTreeMap::from([(name.to_owned(), 1)])
}

#[tokio::test]
async fn a_call_is_one_command_also_for_many_entries() {
    let Some(server) = server(&[]) else { return };
    let bucket = bucket(&*connect(&server).await).await;
    let mut redis = redis(&server).await;
    commands(&mut redis).await;
    let keys: Vec<String> = (0..100).map(|number| number.to_string()).collect();

    bucket.set("key", "1".into()).await.unwrap();
    assert_eq!(commands(&mut redis).await, once("set"));
    bucket.get("key").await.unwrap();
    assert_eq!(commands(&mut redis).await, once("get"));
    bucket.increment("key", 1).await.unwrap();
    assert_eq!(commands(&mut redis).await, once("incrby"));
    bucket.swap("absent", None, "1".into()).await.unwrap();
    assert_eq!(commands(&mut redis).await, once("set"));
    bucket.set_many(keys.iter().map(|key| (key.clone(), key.clone().into())).collect()).await.unwrap();
    assert_eq!(commands(&mut redis).await, once("mset"));
    bucket.get_many(&keys).await.unwrap();
    assert_eq!(commands(&mut redis).await, once("mget"));
    bucket.delete_many(&keys).await.unwrap();
    assert_eq!(commands(&mut redis).await, once("unlink"));
}

#[tokio::test]
async fn a_script_goes_by_its_digest_once_the_server_knows_it() {
    let Some(server) = server(&[]) else { return };
    let provider = connect(&server).await;
    let (bucket, messaging) = (bucket(&*provider).await, messaging(&*provider));
    let mut redis = redis(&server).await;
    messaging.create_group(&"topic".into(), "group").await.unwrap();
    bucket.set("key", "0".into()).await.unwrap();
    for turn in 0..3 {
        commands(&mut redis).await;
        let entry = bucket.get("key").await.unwrap().unwrap();
        bucket.swap("key", Some(&entry.version), turn.to_string().into()).await.unwrap();
        messaging.publish(&"topic".into(), message("text")).await.unwrap();
        let commands = commands(&mut redis).await;
        // The texts of both are sent in the first turn alone.
        let texts = (turn == 0).then_some(2);
        assert_eq!((commands.get("evalsha"), commands.get("eval").copied()), (Some(&2), texts), "{commands:?}");
    }
}

#[tokio::test]
async fn calls_at_the_same_time_share_one_connection() {
    let Some(server) = server(&[]) else { return };
    let bucket = bucket(&*connect(&server).await).await;
    let mut redis = redis(&server).await;
    let mut clients = async || -> usize {
        let list: String = cmd("CLIENT").arg("LIST").query_async(&mut redis).await.unwrap();
        list.lines().count()
    };
    // That of the provider, and ours; the probe that found the server ready has gone.
    eventually("two clients", async || clients().await == 2).await;
    let keys: Vec<String> = (0..200).map(|number| number.to_string()).collect();
    for done in join_all(keys.iter().map(|key| bucket.set(key, "1".into()))).await {
        done.unwrap();
    }
    assert_eq!(clients().await, 2);
}
