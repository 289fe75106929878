//! A server that takes connections and calls, and answers none: the provider bounds the time itself.

use std::{sync::Arc, time::Duration};

use futures_util::future::{BoxFuture, join_all};
use slight_capabilities::{ByteRange, ErrorKind, Provider, Result};
use tokio::time::{Instant, sleep, timeout};

use super::{
    Outage,
    load::{CALL, PATIENCE},
};
use crate::{
    blob::body::write,
    check::{Failure, Outcome, described, require},
    messaging::message,
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

/// A call that owns what it is made on.
macro_rules! call {
    ($on:ident . $call:ident ( $($argument:expr),* )) => {{
        let on = $on.clone();
        let call: BoxFuture<'static, Result<()>> = Box::pin(async move { on.$call($($argument),*).await.map(drop) });
        (stringify!($call), call)
    }};
}

pub(super) async fn calls_on_keys_of_a_silent_server_end_in_time(outage: &mut Outage) -> Outcome {
    silence(outage, &|provider| {
        let store = provider.key_value();
        Box::pin(async move {
            let Some(store) = store else { return Ok(Vec::new()) };
            let bucket = store.open(&"silent".into()).await?;
            Ok(vec![
                call!(bucket.get("key")),
                call!(bucket.set("key", "value".into())),
                call!(bucket.delete("gone")),
                call!(bucket.increment("counter", 1)),
                call!(bucket.keys(None)),
                call!(bucket.get_many(&["key".into(), "other".into()])),
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
                call!(store.exists(&"silent".into())),
            ])
        })
    })
    .await
}

pub(super) async fn calls_on_topics_of_a_silent_server_end_in_time(outage: &mut Outage) -> Outcome {
    silence(outage, &|provider| {
        let messaging = provider.messaging();
        Box::pin(async move {
            let Some(messaging) = messaging else { return Ok(Vec::new()) };
            messaging.create_group(&"silent".into(), "group").await?;
            Ok(vec![
                call!(messaging.publish(&"silent".into(), message("text"))),
                call!(messaging.create_group(&"silent".into(), "another")),
                call!(messaging.delete_group(&"silent".into(), "a third")),
            ])
        })
    })
    .await
}
