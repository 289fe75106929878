use std::time::{Duration, Instant};

use slight_capabilities::ErrorKind;
use slight_services::{Azurite, present};

use crate::support::{
    bucket, connect, container, member, message, messaging, next, pattern, read, text_of, unique, write,
};

/// The runtime gives a call 10 seconds.
const CALL: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_is_told_at_once_and_over_with_the_first_call_after_it() {
    let Some(mut azurite) = present(Azurite::start(&[])) else { return };
    let provider = connect(&azurite.connection_string()).await;
    let (bucket, container) = (bucket(&*provider).await, container(&*provider).await);
    let (messaging, topic) = (messaging(&*provider), unique("topic"));
    let mut deliveries = member(&*messaging, &topic, Duration::from_secs(60)).await;
    bucket.set("key", "before".into()).await.unwrap();
    write(&*container, "object", &pattern(1000)).await;

    tokio::task::block_in_place(|| azurite.stop());
    let started = Instant::now();
    // Together, since it is one call that must not take longer.
    let (got, swapped, counted, told, published) = tokio::join!(
        bucket.get("key"),
        bucket.swap("key", None, "1".into()),
        bucket.increment("counter", 1),
        container.stat("object"),
        messaging.publish(&topic, message("lost")),
    );
    for error in [got.err(), swapped.err(), counted.err(), told.err(), published.err()] {
        let error = error.unwrap();
        // Nothing was sent: the outcome is known.
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(error.message().contains("cannot be reached"), "{error}");
    }
    assert!(started.elapsed() < CALL, "{:?}", started.elapsed());

    tokio::task::block_in_place(|| azurite.restart());
    assert_eq!(bucket.get("key").await.unwrap().unwrap().value, "before");
    assert_eq!(read(&*container, "object").await.unwrap(), pattern(1000));
    messaging.publish(&topic, message("after")).await.unwrap();
    assert_eq!(text_of(&*next(&mut deliveries).await), "after");
}
