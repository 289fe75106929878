use bytes::Bytes;
use futures_util::future::try_join_all;
use slight_capabilities::{ErrorKind, GUARANTEED_MESSAGE_BYTES, MAX_NAME_BYTES, Message, QualifiedName};

use super::{
    LONG_LEASE, Scope, new_topic,
    subscriber::{ack, text_of},
    texts,
};
use crate::{
    check::{Outcome, done_or, equal, equal_bytes},
    content::pattern,
    names::{self, Prefix},
};

/// Publishes a message and requires that it is delivered just so.
async fn comes_back(scope: &Scope, message: Message) -> Outcome {
    let what = format!("a message of {} bytes with {} pairs of metadata", message.data.len(), message.metadata.len());
    is_delivered(scope, message).await.map_err(|failure| failure.within(what))
}

async fn is_delivered(scope: &Scope, message: Message) -> Outcome {
    let topic = new_topic();
    let mut member = scope.subscribe(&topic, "group").await?;
    scope.messaging.publish(&topic, message.clone()).await?;
    let delivery = member.next().await?;
    equal_bytes("the body", &delivery.message().data, &message.data)?;
    equal("the topic", delivery.topic(), topic.name.as_str())?;
    equal("the message", delivery.message(), &message)?;
    Ok(ack(delivery).await?)
}

fn metadata(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

pub(super) async fn a_message_comes_back_as_it_was_sent(scope: &Scope) -> Outcome {
    let every_byte: Bytes = (0..=u8::MAX).collect();
    let odd = metadata(&[
        ("z", "first"),
        ("a", "1"),
        ("A", "2"),
        ("a", "again"),
        ("", "empty key"),
        ("empty value", ""),
        ("line\r\nbreak: x", "a\r\nb\0c"),
        ("é🦀", " spaces "),
        ("Content-Type", "not the media type"),
        ("Nats-Msg-Id", "1"),
        ("reply-to", "nobody"),
    ]);
    let content_type = Some("application/json; charset=\"utf-8\"".to_owned());
    comes_back(scope, Message { data: every_byte, content_type, metadata: odd, reply_to: None }).await?;
    comes_back(scope, Message::default()).await?;
    let empty = Message { content_type: Some(String::new()), metadata: metadata(&[("", "")]), ..Message::default() };
    comes_back(scope, empty).await
}

/// A message of `size` bytes, with some of them in its metadata.
fn sized(size: usize) -> Message {
    let metadata = metadata(&[("key", &"v".repeat(1000)), ("other", &"w".repeat(24))]);
    let mut message = Message { metadata, content_type: Some("text/plain".into()), ..Message::default() };
    message.data = pattern(1, size - message.size());
    message
}

pub(super) async fn a_message_of_256_kib_is_delivered(scope: &Scope) -> Outcome {
    comes_back(scope, sized(GUARANTEED_MESSAGE_BYTES)).await?;
    // Above what some queues take as one message.
    comes_back(scope, sized(64 * 1024)).await
}

pub(super) async fn a_larger_message_is_delivered_or_too_large(scope: &Scope) -> Outcome {
    let topic = new_topic();
    let mut member = scope.subscribe(&topic, "group").await?;
    let message = sized(4 * 1024 * 1024);
    let published = scope.messaging.publish(&topic, message.clone()).await;
    if done_or("publishing 4 MiB", published, ErrorKind::TooLarge)? {
        let delivery = member.next().await?;
        equal_bytes("the body", &delivery.message().data, &message.data)?;
        equal("the metadata", &delivery.message().metadata, &message.metadata)?;
        ack(delivery).await?;
    }
    member.gets_nothing().await
}

/// Publishes to each topic its own name, and requires that it comes there alone.
async fn are_apart(scope: &Scope, topics: &[QualifiedName]) -> Outcome {
    let mut members = Vec::new();
    for topic in topics {
        let member = scope.subscribe(topic, "group").await;
        members.push((topic, member.map_err(|failure| failure.within(format_args!("topic {topic:?}")))?));
    }
    for topic in topics {
        scope.publish(topic, &format!("{topic:?}")).await?;
    }
    // All at the same time, since each waits to see that nothing else comes.
    try_join_all(members.iter_mut().map(|(topic, member)| async move {
        let within = member.gets(&[format!("{topic:?}")]).await;
        within.map_err(|failure| failure.within(format_args!("topic {topic:?}")))
    }))
    .await?;
    Ok(())
}

pub(super) async fn topics_are_literal(scope: &Scope) -> Outcome {
    let prefix = Prefix::unique();
    let long = ["x".repeat(MAX_NAME_BYTES), "🦀".repeat(MAX_NAME_BYTES / 4)];
    let odd = [
        "*", ">", "a", "A", "a.*", "a.>", "a.b", "a/b", "a b", "a:b", "a.b.c", "#", "+", "a/#", "🦀", "\0", "\r\n",
        "$JS",
    ];
    let topics = odd.into_iter().map(str::to_owned).chain(long);
    are_apart(scope, &topics.map(|topic| prefix.name(&topic)).collect::<Vec<_>>()).await?;
    are_apart(scope, &names::ALIKE.map(|topic| prefix.name(topic))).await
}

pub(super) async fn a_prefix_isolates_topics(scope: &Scope) -> Outcome {
    are_apart(scope, &names::under_prefixes()).await
}

pub(super) async fn a_topic_without_a_group_drops_messages(scope: &Scope) -> Outcome {
    let topic = new_topic();
    scope.publish(&topic, "to nobody").await?;
    scope.create_group(&topic, "late").await?;
    let mut late = scope.subscribe(&topic, "late").await?;
    let mut later = scope.subscribe(&topic, "later").await?;
    late.gets_nothing().await?;
    scope.publish(&topic, "to both").await?;
    late.gets(&["to both".into()]).await?;
    later.gets(&["to both".into()]).await
}

pub(super) async fn an_unsubscribed_topic_gets_nothing(scope: &Scope) -> Outcome {
    let (topic, other) = (new_topic(), new_topic());
    let mut member = scope.subscribe(&topic, "group").await?;
    scope.create_group(&other, "group").await?;
    scope.publish(&other, "to the other").await?;
    member.gets_nothing().await?;
    scope.publish(&topic, "to this").await?;
    member.gets(&["to this".into()]).await
}

pub(super) async fn a_subscription_may_have_many_topics(scope: &Scope) -> Outcome {
    let topics = [new_topic(), new_topic(), new_topic()];
    let mut member = scope.subscribe_with(&topics.each_ref(), "group", 100, LONG_LEASE).await?;
    for topic in &topics {
        for text in texts(3) {
            scope.publish(topic, &format!("{} {text}", topic.name)).await?;
        }
    }
    let mut expected: Vec<_> = topics
        .iter()
        .flat_map(|topic| texts(3).into_iter().map(move |text| format!("{} {text}", topic.name)))
        .collect();
    let mut found = Vec::new();
    for _ in &expected {
        let delivery = member.next().await?;
        let text = text_of(&*delivery);
        equal("the topic told", Some(delivery.topic()), text.split(' ').next())?;
        found.push(text);
        ack(delivery).await?;
    }
    expected.sort_unstable();
    found.sort_unstable();
    equal("the messages of all topics", found, expected)?;
    member.gets_nothing().await
}
