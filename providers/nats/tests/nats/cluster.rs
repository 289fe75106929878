use std::sync::Arc;

use serde_json::json;
use slight_capabilities::{Bucket, Capability, Provider};
use slight_provider_nats::kind;
use slight_services::{Server, free_port};

use crate::support::{bucket, eventually, server};

/// Three servers that keep everything threefold.
fn cluster() -> Option<Vec<Server>> {
    let ports = [(); 3].map(|()| free_port());
    let routes: Vec<_> = ports.iter().map(|port| format!("nats://127.0.0.1:{port}")).collect();
    let node = |number: usize| {
        let (name, cluster) = (format!("node-{number}"), routes[number].clone());
        let more =
            ["--server_name", &name, "--cluster_name", "test", "--cluster", &cluster, "--routes", &routes.join(",")];
        server(&more)
    };
    (0..3).map(node).collect()
}

async fn connected(url: &str) -> Arc<dyn Provider> {
    let replicas = json!({ "replicas": 3 });
    let settings = json!({ "url": url, "key-value": replicas, "blob": replicas, "messaging": replicas });
    let provider = kind().connect(settings).await.unwrap();
    // Until the servers have come together.
    eventually("a cluster", async || provider.prepare(Capability::KeyValue).await.is_ok()).await;
    provider
}

/// All keys. Just after the loss of a server, it may be asked for some of them.
async fn listed(bucket: &dyn Bucket) -> Vec<String> {
    let mut names = Vec::new();
    eventually("a listing", async || {
        names.clear();
        let mut next = None;
        loop {
            let Ok(page) = bucket.keys(next.as_ref()).await else { return false };
            names.extend(page.items);
            next = page.next;
            if next.is_none() {
                return true;
            }
        }
    })
    .await;
    names
}

/// Sets keys, and requires of each that it is there at once, and listed.
async fn sets(bucket: &dyn Bucket, keys: std::ops::Range<usize>) {
    for number in keys {
        let key = format!("key {number}");
        // While another server takes the lead, it may be refused.
        eventually("a write", async || bucket.set(&key, "1".into()).await.is_ok()).await;
        eventually("a read", async || bucket.exists(&key).await.inspect(|exists| assert!(exists, "{key}")).is_ok())
            .await;
        assert!(listed(bucket).await.contains(&key), "{key}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replicated_bucket_outlives_a_server_and_lists_what_was_written_last() {
    let Some(mut nodes) = tokio::task::block_in_place(cluster) else { return };
    let urls: Vec<_> = nodes.iter().map(Server::url).collect();
    let bucket = bucket(&*connected(&urls.join(",")).await).await;
    sets(&*bucket, 0..50).await;
    assert_eq!(bucket.increment("counter", 1).await.unwrap(), 1);
    tokio::task::block_in_place(|| nodes[0].kill());
    eventually("another leader", async || bucket.set("after", "1".into()).await.is_ok()).await;
    sets(&*bucket, 50..60).await;
    assert_eq!(listed(&*bucket).await.len(), 62);
}
