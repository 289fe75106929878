use std::time::Duration;

use async_nats::jetstream::consumer::PullConsumer;
use futures_util::StreamExt;
use slight_capabilities::{ErrorKind, Message, Outcome, ReplyTo};

use crate::support::{ack, apart, eventually, member, message, messages_in, messaging, nats, next, shared, text_of};

const LONG: Duration = Duration::from_secs(300);

#[tokio::test]
async fn the_stream_keeps_what_some_group_still_waits_for_and_no_more() {
    let Some(url) = shared() else { return };
    let messaging = messaging(&*apart(&url, "kept").await);
    messaging.publish(&"topic".into(), message("to nobody")).await.unwrap();
    messaging.create_group(&"topic".into(), "slow").await.unwrap();
    let mut member = member(&*messaging, &["topic"], 10, LONG).await;
    for number in 0..10 {
        messaging.publish(&"topic".into(), message(&number.to_string())).await.unwrap();
    }
    for _ in 0..10 {
        ack(next(&mut member).await).await;
    }
    let nats = nats(&url).await;
    assert_eq!(messages_in(&nats, "kept-msg").await, 10, "the other group has seen none");
    messaging.delete_group(&"topic".into(), "slow").await.unwrap();
    eventually("an empty stream", async || messages_in(&nats, "kept-msg").await == 0).await;
}

#[tokio::test]
async fn one_member_gets_new_messages_in_their_order() {
    let Some(url) = shared() else { return };
    let messaging = messaging(&*apart(&url, "order").await);
    let mut member = member(&*messaging, &["topic"], 7, LONG).await;
    for number in 0..200 {
        messaging.publish(&"topic".into(), message(&number.to_string())).await.unwrap();
    }
    for number in 0..200 {
        let delivery = next(&mut member).await;
        assert_eq!(text_of(&*delivery), number.to_string());
        ack(delivery).await;
    }
}

#[tokio::test]
async fn topics_that_are_more_than_the_capacity_all_have_their_turn() {
    let Some(url) = shared() else { return };
    let messaging = messaging(&*apart(&url, "crowded").await);
    let topics = ["a", "b", "c", "d"];
    let mut member = member(&*messaging, &topics, 1, LONG).await;
    for topic in topics.iter().rev() {
        messaging.publish(&(*topic).into(), message(topic)).await.unwrap();
    }
    let mut found = Vec::new();
    for _ in topics {
        let delivery = next(&mut member).await;
        assert_eq!(delivery.topic(), text_of(&*delivery));
        found.push(text_of(&*delivery));
        ack(delivery).await;
    }
    found.sort_unstable();
    assert_eq!(found, topics);
}

#[tokio::test]
async fn members_lease_for_as_long_as_they_asked_each() {
    let Some(url) = shared() else { return };
    let messaging = messaging(&*apart(&url, "leases").await);
    let mut short = member(&*messaging, &["topic"], 1, Duration::from_secs(1)).await;
    messaging.publish(&"topic".into(), message("1")).await.unwrap();
    let held = next(&mut short).await;
    let mut long = member(&*messaging, &["topic"], 1, LONG).await;
    let again = next(&mut long).await;
    assert!(again.count() > held.count());
    let late = held.settle(Outcome::Retry { after: Duration::ZERO }).await.unwrap_err();
    assert_eq!(late.kind(), ErrorKind::Conflict);
    ack(again).await;
}

#[tokio::test]
async fn a_lease_that_ends_before_anybody_takes_the_message_does_not_count() {
    let Some(url) = shared() else { return };
    let messaging = messaging(&*apart(&url, "never-taken").await);
    let mut member = member(&*messaging, &["topic"], 2, Duration::from_secs(1)).await;
    for number in 0..2 {
        messaging.publish(&"topic".into(), message(&number.to_string())).await.unwrap();
    }
    let nats = nats(&url).await;
    let stream = nats.get_stream("never-taken-msg").await.unwrap();
    let name = stream.consumer_names().next().await.unwrap().unwrap();
    eventually("both leased", async || stream.consumer_info(&name).await.unwrap().num_ack_pending == 2).await;
    let leased = std::time::Instant::now();
    eventually("the ends of the leases", async || leased.elapsed() > Duration::from_millis(1100)).await;
    for _ in 0..2 {
        let delivery = next(&mut member).await;
        assert_eq!(delivery.count(), 1);
        ack(delivery).await;
    }
}

#[tokio::test]
async fn a_deleted_group_ends_the_streams_of_its_members() {
    let Some(url) = shared() else { return };
    let messaging = messaging(&*apart(&url, "deleted-group").await);
    let mut member = member(&*messaging, &["topic"], 1, LONG).await;
    messaging.delete_group(&"topic".into(), "group").await.unwrap();
    let end = tokio::time::timeout(slight_services::DEADLINE, async {
        let mut last = None;
        while let Some(item) = member.next().await {
            last = Some(item.err().unwrap());
        }
        last.unwrap()
    });
    let error = end.await.unwrap();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.message().contains("topic"), "{error}");
}

#[tokio::test]
async fn replies_go_to_inboxes_alone() {
    let Some(url) = shared() else { return };
    let messaging = messaging(&*apart(&url, "replies").await);
    for odd in ["", "*", ">", "a.b", "../x", "a b", "$JS.API.INFO"] {
        let to = ReplyTo { inbox: odd.into(), correlation: "1".into() };
        assert_eq!(messaging.reply(&to, message("answer")).await.unwrap_err().kind(), ErrorKind::Invalid, "{odd:?}");
    }
}

#[tokio::test]
async fn a_reply_too_large_for_the_server_is_refused() {
    let Some(url) = shared() else { return };
    let messaging = messaging(&*apart(&url, "large-reply").await);
    let inbox = messaging.inbox().await.unwrap();
    let to = ReplyTo { inbox: inbox.address, correlation: "1".into() };
    let large = Message { data: vec![0; 2 * 1024 * 1024].into(), ..Message::default() };
    let error = messaging.reply(&to, large).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(error.message().contains("1048576"), "{error}");
}

#[tokio::test]
async fn metadata_that_needs_the_most_room_is_delivered_up_to_256_kib() {
    let Some(url) = shared() else { return };
    let messaging = messaging(&*apart(&url, "metadata").await);
    let mut member = member(&*messaging, &["topic"], 1, LONG).await;
    let metadata = vec![("\n".repeat(1000), "\0".repeat(261_144))];
    messaging.publish(&"topic".into(), Message { metadata: metadata.clone(), ..Message::default() }).await.unwrap();
    let delivery = next(&mut member).await;
    assert_eq!(delivery.message().metadata, metadata);
    ack(delivery).await;
}

#[tokio::test]
async fn other_clients_of_nats_read_and_write_the_same_messages() {
    let Some(url) = shared() else { return };
    let messaging = messaging(&*apart(&url, "others").await);
    let mut member = member(&*messaging, &["topic"], 1, LONG).await;
    messaging.create_group(&"topic".into(), "theirs").await.unwrap();
    let nats = nats(&url).await;
    let stream = nats.get_stream("others-msg").await.unwrap();
    let mut headers = async_nats::HeaderMap::new();
    headers.insert("Content-Type", "text/plain");
    nats.publish_with_headers("others-msg.topic", headers, "from them".into()).await.unwrap().await.unwrap();
    let delivery = next(&mut member).await;
    assert_eq!(
        (text_of(&*delivery).as_str(), delivery.message().content_type.as_deref()),
        ("from them", Some("text/plain"))
    );
    ack(delivery).await;

    let names: Vec<_> = stream.consumer_names().map(Result::unwrap).collect().await;
    let name = names.iter().find(|name| name.starts_with("theirs-")).unwrap();
    let consumer: PullConsumer = stream.get_consumer(name).await.unwrap();
    let mut theirs = consumer.fetch().max_messages(1).messages().await.unwrap();
    let message = theirs.next().await.unwrap().unwrap();
    assert_eq!(message.payload, "from them");
    message.ack().await.unwrap();
}
