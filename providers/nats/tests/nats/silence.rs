use std::time::{Duration, Instant};

use slight_capabilities::{ByteRange, ErrorKind};

use crate::{
    network::Network,
    support::{MIB, body, bucket, connect, container, eventually, pattern, server, write},
};

/// The runtime gives a call 10 seconds.
const CALL: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_server_that_goes_silent_ends_calls_in_time_and_is_left_for_a_new_connection() {
    let Some(server) = server(&[]) else { return };
    let network = Network::before(&server).await;
    let provider = connect(&network.url).await;
    let (bucket, container) = (bucket(&*provider).await, container(&*provider).await);
    let content = pattern(1, 4 * MIB);
    write(&*container, "object", content.clone()).await;
    network.be_silent(true);
    let started = Instant::now();
    let body = body([Ok(content)]);
    let (got, set, read, written) = tokio::join!(
        bucket.get("key"),
        bucket.set("key", "1".into()),
        container.read("object", ByteRange::ALL),
        container.write("other", body),
    );
    for error in [got.err(), set.err(), read.err(), written.err()] {
        let error = error.unwrap();
        assert!(matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Unavailable), "{error}");
    }
    assert!(started.elapsed() < CALL, "{:?}", started.elapsed());
    network.be_silent(false);
    eventually("service after the silence", async || bucket.set("key", "2".into()).await.is_ok()).await;
}
