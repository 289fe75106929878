use std::time::Duration;

use futures_util::stream;
use slight_capabilities::{ByteRange, Capability, ErrorKind, Provider, Readiness, Result};
use tokio::time::timeout;

use super::{Scope, Section};
use crate::{
    check::{Failure, Outcome, described, equal, refused, require},
    messaging::message,
};

/// A sign of life comes, or is missed, sooner than this on a busy machine.
pub(super) const SOON: Duration = Duration::from_secs(15);

pub(super) async fn it_gives_what_its_kind_lists(scope: &Scope) -> Outcome {
    let section = scope.section()?;
    let provider = section.elsewhere().connect().await?;
    let given = [provider.key_value().is_some(), provider.blob().is_some(), provider.messaging().is_some()];
    equal("the capabilities given", given, Capability::ALL.map(|one| section.kind.offers(one)))
}

/// Requires that each location is said to be made, or to be ready where the kind makes none.
async fn nothing_is_made(section: &Section, provider: &dyn Provider) -> Outcome {
    let made = section.made();
    for capability in section.kind.capabilities {
        match provider.inspect(*capability).await? {
            Readiness::ToBeCreated(what) => {
                require(
                    !what.is_empty(),
                    format_args!("{capability}: expected what is to be created, found no words"),
                )?;
            }
            Readiness::Ready => require(
                !made.contains(capability),
                format_args!("{capability}: expected a location to be created, found one that is ready"),
            )?,
        }
    }
    Ok(())
}

async fn prepare_all(section: &Section, provider: &dyn Provider) -> Outcome {
    for capability in section.kind.capabilities {
        provider.prepare(*capability).await.map_err(|error| Failure::from(error).within(*capability))?;
    }
    Ok(())
}

pub(super) async fn inspect_says_what_prepare_does(scope: &Scope) -> Outcome {
    let section = scope.section()?.elsewhere();
    let provider = section.connect().await?;
    nothing_is_made(&section, &*provider).await?;
    for capability in section.kind.capabilities {
        provider.prepare(*capability).await.map_err(|error| Failure::from(error).within(*capability))?;
        let what = format_args!("{capability}: what inspect says after prepare");
        equal(what, provider.inspect(*capability).await?, Readiness::Ready)?;
    }
    Ok(())
}

pub(super) async fn inspect_makes_nothing(scope: &Scope) -> Outcome {
    let section = scope.section()?.elsewhere();
    for _ in 0..2 {
        let provider = section.connect().await?;
        for _ in 0..2 {
            nothing_is_made(&section, &*provider).await?;
        }
    }
    are_missing(&section).await
}

/// Requires that all locations are missed by a provider that may not make them.
async fn are_missing(section: &Section) -> Outcome {
    let provider = section.creating(false).connect().await?;
    for capability in section.made() {
        is_missing(section, capability, "inspect", provider.inspect(capability).await)?;
        is_missing(section, capability, "prepare", provider.prepare(capability).await)?;
    }
    Ok(())
}

/// Requires `NotFound`, with the location, or the file that it would be in.
fn is_missing<T>(section: &Section, capability: Capability, what: &str, result: Result<T>) -> Outcome {
    let Err(error) = result else {
        return Err(Failure::new(format!("{what} of {capability}: expected NotFound, found success")));
    };
    let said = described(&error);
    refused(format_args!("{what} of {capability}"), Err::<T, _>(error), ErrorKind::NotFound)?;
    let location = section.settings.get(capability.name()).and_then(|of| of.get("location"));
    let named = [location, section.settings.get("path")].into_iter().flatten().filter_map(|name| name.as_str());
    let is_named = named.into_iter().any(|name| said.contains(name));
    require(is_named, format_args!("{what} of {capability}: expected the name of what is missing, found {said}"))
}

pub(super) async fn a_missing_location_is_not_found(scope: &Scope) -> Outcome {
    let section = scope.section()?.elsewhere();
    for _ in 0..2 {
        are_missing(&section).await?;
    }
    // They are still not there.
    nothing_is_made(&section, &*section.connect().await?).await
}

pub(super) async fn a_second_prepare_changes_nothing(scope: &Scope) -> Outcome {
    let section = scope.section()?.elsewhere();
    let provider = section.connect().await?;
    prepare_all(&section, &*provider).await?;
    let (name, topic) = ("name".into(), "topic".into());
    if let Some(key_value) = provider.key_value() {
        key_value.open(&name).await?.set("key", "value".into()).await?;
    }
    if let Some(blob) = provider.blob() {
        blob.create(&name).await?.write("object", Box::pin(stream::iter([Ok("value".into())]))).await?;
    }
    if let Some(messaging) = provider.messaging() {
        messaging.create_group(&topic, "group").await?;
        messaging.publish(&topic, message("message")).await?;
    }
    prepare_all(&section, &*provider).await?;
    if let Some(key_value) = provider.key_value() {
        let entry = key_value.open(&name).await?.get("key").await?;
        equal("the entry", entry.map(|entry| entry.value), Some("value".into()))?;
    }
    if let Some(blob) = provider.blob() {
        equal("the size of the object", blob.get(&name).await?.read("object", ByteRange::ALL).await?.size, 5)?;
        blob.delete(&name).await?;
    }
    if let Some(messaging) = provider.messaging() {
        let subscription = slight_capabilities::Subscription {
            topics: vec![topic.clone()],
            group: "group".into(),
            capacity: 1,
            visibility: Duration::from_secs(60),
        };
        let mut deliveries = messaging.subscribe(subscription).await?;
        let delivery = timeout(SOON, futures_util::StreamExt::next(&mut deliveries)).await;
        let delivery =
            delivery.map_err(|_| Failure::new(format!("expected the message within {SOON:?}, found none")))?;
        let delivery = delivery.ok_or_else(|| Failure::new("expected the message, found the end"))??;
        delivery.settle(slight_capabilities::Outcome::Ack).await?;
        messaging.delete_group(&topic, "group").await?;
    }
    Ok(())
}

pub(super) async fn ping_changes_nothing(scope: &Scope) -> Outcome {
    let section = scope.section()?.elsewhere();
    let provider = section.connect().await?;
    let ping = async || {
        let pinged = timeout(SOON, provider.ping()).await;
        pinged.map_err(|_| Failure::new(format!("ping: expected an answer within {SOON:?}, found none")))
    };
    // Nothing is prepared yet, which it may miss.
    _ = ping().await?;
    nothing_is_made(&section, &*provider).await?;
    prepare_all(&section, &*provider).await?;
    ping().await?.map_err(|error| Failure::from(error).within("ping of what is prepared"))
}
