//! A server that takes connections and calls, and answers none: the provider bounds the time itself.

use std::{sync::Arc, time::Duration};

use futures_util::{
    StreamExt,
    future::{BoxFuture, join_all},
};
use slight_capabilities::{
    ByteRange, Deliveries, Delivery, Error, ErrorKind, Messaging, ObjectId, Outcome as Settled, Provider, Result,
    Subscription,
};
use tokio::time::{Instant, sleep, timeout};

use super::{
    Outage,
    load::{CALL, PATIENCE},
};
use crate::{
    blob::body::{chunks, write},
    check::{Failure, Outcome, described, require},
    messaging::message,
    names::unique,
};

/// The calls to try, which all succeed while the server answers.
type Calls = Vec<(&'static str, BoxFuture<'static, Result<()>>)>;

/// What to call, anew each time.
type Calling = dyn Fn(&Arc<dyn Provider>) -> BoxFuture<'static, Result<Calls>>;

async fn silence(outage: &mut Outage, calling: &Calling) -> Outcome {
    let provider = outage.provider.clone();
    let mut names = Vec::new();
    for (name, call) in calling(&provider).await? {
        names.push(name);
        call.await.map_err(|error| Failure::from(error).within(format_args!("{name}, before the silence")))?;
    }
    let calls = calling(&provider).await?;
    outage.pause()?;
    let silent = join_all(calls.into_iter().map(|(name, call)| async move { is_given_up(name, call).await })).await;
    outage.resume();
    silent.into_iter().collect::<Outcome>()?;
    // Whatever was lost in the silence, soon all goes on.
    let end = Instant::now() + PATIENCE;
    for name in names {
        while let Err(error) = again(&provider, calling, name).await {
            let late = Instant::now() > end;
            require(!late, format_args!("{name}: expected success after the silence, found {}", described(&error)))?;
            sleep(Duration::from_millis(50)).await;
        }
    }
    Ok(())
}

async fn again(provider: &Arc<dyn Provider>, calling: &Calling, name: &str) -> Result<()> {
    for (found, call) in calling(provider).await? {
        if found == name {
            return call.await;
        }
    }
    Ok(())
}

/// Requires an honest error in time.
async fn is_given_up(name: &str, call: BoxFuture<'static, Result<()>>) -> Outcome {
    match timeout(CALL, call).await {
        Err(_) => {
            Err(Failure::new(format!("{name}: expected the provider to give up within {CALL:?}, found it waiting")))
        }
        Ok(Ok(())) => Err(Failure::new(format!("{name}: expected no answer of a silent server, found success"))),
        Ok(Err(error)) => {
            let honest = matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout);
            require(honest, format_args!("{name}: expected Unavailable or Timeout, found {}", described(&error)))
        }
    }
}

fn call(
    name: &'static str,
    call: impl Future<Output = Result<()>> + Send + 'static,
) -> (&'static str, BoxFuture<'static, Result<()>>) {
    (name, Box::pin(call))
}

/// A call that owns what it is made on.
macro_rules! call {
    ($on:ident . $call:ident ( $($argument:expr),* )) => {{
        let on = $on.clone();
        call(stringify!($call), async move { on.$call($($argument),*).await.map(drop) })
    }};
}

pub(super) async fn calls_on_keys_of_a_silent_server_end_in_time(outage: &mut Outage) -> Outcome {
    silence(outage, &|provider| {
        let store = provider.key_value();
        Box::pin(async move {
            let Some(store) = store else { return Ok(Vec::new()) };
            let bucket = store.open(&"silent".into()).await?;
            let version = bucket.get("swapped").await?.map(|entry| entry.version);
            let swapping = bucket.clone();
            Ok(vec![
                call("swap", async move { swapping.swap("swapped", version.as_ref(), "value".into()).await }),
                call!(bucket.get("key")),
                call!(bucket.set("key", "value".into())),
                call!(bucket.delete("gone")),
                call!(bucket.increment("counter", 1)),
                call!(bucket.keys(None)),
                call!(bucket.get_many(&["key".into(), "other".into()])),
                call!(bucket.set_many(vec![("key".into(), "value".into()), ("other".into(), "value".into())])),
                call!(bucket.delete_many(&["gone".into(), "gone too".into()])),
            ])
        })
    })
    .await
}

pub(super) async fn calls_on_objects_of_a_silent_server_end_in_time(outage: &mut Outage) -> Outcome {
    if let Some(store) = outage.provider.blob() {
        write(&*store.create(&"silent".into()).await?, "object", "content").await?;
    }
    silence(outage, &|provider| {
        let store = provider.blob();
        Box::pin(async move {
            let Some(store) = store else { return Ok(Vec::new()) };
            let container = store.get(&"silent".into()).await?;
            Ok(vec![
                call!(container.stat("object")),
                call!(container.read("object", ByteRange::ALL)),
                call!(container.list(None)),
                call!(container.delete(&["gone".into()])),
                call!(container.write("written", chunks("content".into()))),
                call!(container.info()),
                call!(store.exists(&"silent".into())),
                call!(store.create(&unique().as_str().into())),
                call!(store.copy(&object("object"), &object("copied"))),
            ])
        })
    })
    .await
}

fn object(name: &str) -> ObjectId {
    ObjectId { container: "silent".into(), object: name.to_owned() }
}

/// A message that was just published, or one before, with the stream that it came from.
async fn leased(messaging: &dyn Messaging) -> Result<(Deliveries, Box<dyn Delivery>)> {
    let (topic, group) = ("leased".into(), "group");
    messaging.create_group(&topic, group).await?;
    messaging.publish(&topic, message("text")).await?;
    let subscription =
        Subscription { topics: vec![topic], group: group.to_owned(), capacity: 1, visibility: Duration::from_secs(30) };
    let mut deliveries = messaging.subscribe(subscription).await?;
    let delivery = timeout(PATIENCE, deliveries.next()).await;
    let delivery = delivery.map_err(|_| Error::timeout("no message was delivered"))?;
    let delivery = delivery.ok_or_else(|| Error::other("the stream ended"))??;
    Ok((deliveries, delivery))
}

pub(super) async fn calls_on_topics_of_a_silent_server_end_in_time(outage: &mut Outage) -> Outcome {
    silence(outage, &|provider| {
        let messaging = provider.messaging();
        Box::pin(async move {
            let Some(messaging) = messaging else { return Ok(Vec::new()) };
            messaging.create_group(&"silent".into(), "group").await?;
            let (kept, mut extended) = leased(&*messaging).await?;
            let (also_kept, settled) = leased(&*messaging).await?;
            Ok(vec![
                call("extend", async move {
                    let _kept = kept;
                    extended.extend().await
                }),
                call("settle", async move {
                    let _kept = also_kept;
                    settled.settle(Settled::Ack).await
                }),
                call!(messaging.publish(&"silent".into(), message("text"))),
                call!(messaging.create_group(&"silent".into(), "another")),
                call!(messaging.delete_group(&"silent".into(), "a third")),
            ])
        })
    })
    .await
}
