use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures_util::{StreamExt, future::try_join_all};
use slight_capabilities::{
    Bucket, ByteRange, Capability, Container, Cursor, ErrorKind, Messaging, Outcome as Settlement, Page, Provider,
    Result, Subscription,
};
use tokio::time::timeout;

use crate::{
    Outcome,
    messages::{GROUPS, Messages},
    model::{Counter, Model, Stored},
    protocol::Line,
    writer::{BUCKET, COUNTER, number_of},
};

/// How long a message that must come may take: the leases of the dead are void, and a retry is due within seconds.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long one waits for what may come or not. What comes later is there for the next check.
const QUIET: Duration = Duration::from_millis(20);

/// Holds what the provider has against the model, which then takes it for the truth.
pub(crate) async fn check(provider: &dyn Provider, capabilities: &[Capability], model: &mut Model) -> Outcome {
    for capability in capabilities {
        match capability {
            Capability::KeyValue => {
                let store = provider.key_value().ok_or("no key-value")?;
                let bucket = store.open(&BUCKET.into()).await.map_err(said)?;
                check_entries(&*bucket, &mut model.entries, &mut model.counter).await?;
            }
            Capability::Blob => {
                let store = provider.blob().ok_or("no blob")?;
                match store.get(&BUCKET.into()).await {
                    // The first writer was killed before it had made it.
                    Err(error) if error.kind() == ErrorKind::NotFound && model.objects.names().is_empty() => {}
                    container => check_objects(&*container.map_err(said)?, &mut model.objects).await?,
                }
            }
            Capability::Messaging => {
                let messaging = provider.messaging().ok_or("no messaging")?;
                for group in GROUPS {
                    check_group(&*messaging, group, &mut model.messages).await?;
                }
                model.messages.settle();
            }
        }
    }
    Ok(())
}

async fn check_entries(bucket: &dyn Bucket, entries: &mut Stored, counter: &mut Counter) -> Outcome {
    let mut names = all(async |cursor| bucket.keys(cursor.as_ref()).await).await?;
    names.remove(COUNTER);
    names.extend(entries.names());
    for name in names {
        let entry = bucket.get(&name).await.map_err(said)?;
        entries.found(&name, entry.as_ref().map(|entry| entry.value.as_ref()))?;
    }
    counter.found(bucket.increment(COUNTER, 0).await.map_err(said)?)
}

async fn check_objects(container: &dyn Container, objects: &mut Stored) -> Outcome {
    let listed = all(async |cursor| container.list(cursor.as_ref()).await).await?;
    let mut names = listed.clone();
    names.extend(objects.names());
    for name in names {
        let content = match container.read(&name, ByteRange::ALL).await {
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            blob => Some(blob.map_err(said)?),
        };
        if content.is_some() != listed.contains(&name) {
            return Err(format!("{name}: listed is {}, found is {}", listed.contains(&name), content.is_some()));
        }
        let content = match content {
            None => None,
            Some(mut blob) => {
                let mut content = Vec::new();
                while let Some(chunk) = blob.body.next().await {
                    content.extend_from_slice(&chunk.map_err(said)?);
                }
                Some(content)
            }
        };
        objects.found(&name, content.as_deref())?;
    }
    Ok(())
}

async fn check_group(messaging: &dyn Messaging, group: &str, messages: &mut Messages) -> Outcome {
    let mut required: BTreeSet<_> = messages.required(group).into_iter().collect();
    let subscription = Subscription {
        topics: vec![BUCKET.into()],
        group: group.to_owned(),
        capacity: usize::MAX,
        visibility: Duration::from_secs(3600),
    };
    let mut deliveries = messaging.subscribe(subscription).await.map_err(said)?;
    let mut held = BTreeMap::new();
    loop {
        let wait = if required.is_empty() { QUIET } else { PATIENCE };
        let Ok(delivery) = timeout(wait, deliveries.next()).await else { break };
        let delivery = delivery.ok_or("the deliveries ended")?.map_err(said)?;
        let number = number_of(delivery.message()).ok_or("a message without its number")?;
        messages.found(group, number, delivery.count(), &delivery.message().data)?;
        required.remove(&number);
        held.insert(number, delivery);
    }
    if let Some(number) = required.first() {
        return Err(format!("group {group} has lost {} messages, such as {number}", required.len()));
    }
    let numbers: Vec<u64> = held.keys().copied().collect();
    try_join_all(held.into_values().map(|delivery| delivery.settle(Settlement::Ack))).await.map_err(said)?;
    numbers.into_iter().try_for_each(|number| messages.learn(Line::Acked(group.to_owned(), number)))
}

async fn all(page: impl AsyncFn(Option<Cursor>) -> Result<Page<String>>) -> Outcome<BTreeSet<String>> {
    let (mut names, mut next) = (BTreeSet::new(), None);
    loop {
        let found = page(next).await.map_err(said)?;
        names.extend(found.items);
        next = found.next;
        if next.is_none() {
            return Ok(names);
        }
    }
}

fn said(error: slight_capabilities::Error) -> String {
    format!("{:?}: {error}", error.kind())
}
