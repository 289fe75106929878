use futures_util::future::try_join_all;
use slight_capabilities::MAX_NAME_BYTES;

use super::{
    Scope, new_topic,
    subscriber::{ack, text_of},
    texts,
};
use crate::{
    check::{Outcome, equal},
    names,
};

pub(super) async fn a_group_starts_at_now(scope: &Scope) -> Outcome {
    let topic = new_topic();
    // Keeps the topic's messages, so that the others could be given old ones.
    scope.create_group(&topic, "witness").await?;
    scope.publish(&topic, "before").await?;
    let mut subscribed = scope.subscribe(&topic, "subscribed").await?;
    scope.create_group(&topic, "created").await?;
    scope.publish(&topic, "after").await?;
    subscribed.gets(&["after".into()]).await?;
    scope.subscribe(&topic, "created").await?.gets(&["after".into()]).await?;
    scope.subscribe(&topic, "witness").await?.gets(&["before".into(), "after".into()]).await
}

pub(super) async fn a_group_shares_its_messages(scope: &Scope) -> Outcome {
    let topic = new_topic();
    let mut one = scope.subscribe(&topic, "group").await?;
    let mut other = scope.subscribe(&topic, "group").await?;
    let sent = texts(20);
    scope.publish_all(&topic, &sent).await?;
    let mut found = Vec::new();
    for _ in &sent {
        let delivery = tokio::select! {
            delivery = one.next() => delivery?,
            delivery = other.next() => delivery?,
        };
        found.push(text_of(&*delivery));
        ack(delivery).await?;
    }
    found.sort_unstable();
    let mut expected = sent;
    expected.sort_unstable();
    equal("what both got together", found, expected)?;
    one.gets_nothing().await?;
    other.gets_nothing().await
}

pub(super) async fn two_groups_each_get_all(scope: &Scope) -> Outcome {
    let topic = new_topic();
    let mut one = scope.subscribe(&topic, "one").await?;
    let mut other = scope.subscribe(&topic, "other").await?;
    let sent = texts(10);
    scope.publish_all(&topic, &sent).await?;
    one.gets(&sent).await?;
    other.gets(&sent).await
}

pub(super) async fn group_names_may_hold_any_characters(scope: &Scope) -> Outcome {
    let topic = new_topic();
    let mut groups: Vec<_> =
        ["*", ">", "a", "A", "a.b", "a:b", "a b", "é", "e\u{301}", "🦀", "\0", "\r\n", "%2F", "$JS", "..", "0"]
            .map(str::to_owned)
            .to_vec();
    groups.extend(["x".repeat(MAX_NAME_BYTES), "🦀".repeat(MAX_NAME_BYTES / 4)]);
    groups.extend(names::ALIKE.iter().filter(|name| name.contains('/')).map(|name| (*name).to_owned()));
    for group in &groups {
        let created = scope.create_group(&topic, group).await;
        created.map_err(|failure| failure.within(format_args!("group {group:?}")))?;
    }
    scope.publish(&topic, "to all").await?;
    let topic = &topic;
    try_join_all(groups.iter().map(|group| async move {
        let outcome = scope.subscribe(topic, group).await?.gets(&["to all".into()]).await;
        outcome.map_err(|failure| failure.within(format_args!("group {group:?}")))
    }))
    .await?;
    Ok(())
}

pub(super) async fn a_group_keeps_its_messages_without_a_subscriber(scope: &Scope) -> Outcome {
    let topic = new_topic();
    scope.create_group(&topic, "group").await?;
    scope.publish(&topic, "before any subscription").await?;
    let mut first = scope.subscribe(&topic, "group").await?;
    first.gets(&["before any subscription".into()]).await?;
    drop(first);
    scope.publish(&topic, "between two").await?;
    scope.subscribe(&topic, "group").await?.gets(&["between two".into()]).await
}

pub(super) async fn create_group_is_idempotent(scope: &Scope) -> Outcome {
    let topic = new_topic();
    scope.create_group(&topic, "group").await?;
    scope.create_group(&topic, "group").await?;
    scope.publish(&topic, "kept").await?;
    scope.create_group(&topic, "group").await?;
    let mut member = scope.subscribe(&topic, "group").await?;
    scope.create_group(&topic, "group").await?;
    scope.publish(&topic, "kept too").await?;
    member.gets(&["kept".into(), "kept too".into()]).await
}

pub(super) async fn delete_group_drops_its_messages(scope: &Scope) -> Outcome {
    let topic = new_topic();
    for group in ["deleted", "other"] {
        scope.create_group(&topic, group).await?;
    }
    scope.publish(&topic, "message").await?;
    for _ in 0..2 {
        scope.messaging.delete_group(&topic, "deleted").await?;
    }
    scope.messaging.delete_group(&topic, "never there").await?;
    scope.messaging.delete_group(&new_topic(), "never there").await?;
    let mut anew = scope.subscribe(&topic, "deleted").await?;
    anew.gets_nothing().await?;
    scope.publish(&topic, "later").await?;
    anew.gets(&["later".into()]).await?;
    scope.subscribe(&topic, "other").await?.gets(&["message".into(), "later".into()]).await
}
