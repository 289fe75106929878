use std::{collections::HashMap, time::Duration};

use azure_storage_queue::models::{
    ListQueuesIncludeType, QueueClientCreateOptions, QueueMessage, QueueServiceClientListQueuesOptions,
};
use futures_util::{StreamExt, TryStreamExt};
use slight_capabilities::{ErrorKind, Message, Outcome, QualifiedName, encode_name};

use crate::{
    raw,
    support::{
        ack, azurite, connect, eventually, member, message, messaging, next, pattern, provider, text_of, unique,
    },
};

const LEASE: Duration = Duration::from_secs(60);

/// The queues of an account whose metadata has this, with that metadata.
pub async fn queues(string: &str, name: &str, value: &str) -> Vec<(String, HashMap<String, String>)> {
    let include = Some(vec![ListQueuesIncludeType::Metadata]);
    let options = QueueServiceClientListQueuesOptions { include, ..Default::default() };
    let pages: Vec<_> =
        raw::queues(string).list_queues(Some(options)).unwrap().into_pages().try_collect().await.unwrap();
    let queues = pages.into_iter().flat_map(|page| page.into_model().unwrap().queue_items);
    let named = queues.map(|queue| (queue.name.unwrap(), queue.metadata.unwrap_or_default()));
    named.filter(|(_, metadata)| metadata.get(name).map(String::as_str) == Some(value)).collect()
}

pub async fn queue_of(string: &str, topic: &QualifiedName) -> String {
    let found = queues(string, "topic", &topic.encoded()).await;
    assert_eq!(found.len(), 1);
    found[0].0.clone()
}

/// The blobs for large messages of a queue.
async fn blobs(string: &str, queue: &str) -> usize {
    let container = raw::blobs(string).blob_container_client("slight-msg");
    let pages: Vec<_> = container.list_blobs(None).unwrap().into_pages().try_collect().await.unwrap();
    let blobs = pages.into_iter().flat_map(|page| page.into_model().unwrap().blob_items);
    blobs.filter(|blob| blob.name.as_deref().unwrap().starts_with(&format!("{queue}/"))).count()
}

#[tokio::test]
async fn a_queue_tells_whose_it_is() {
    let Some(string) = azurite() else { return };
    let messaging = messaging(&*connect(&string).await);
    let (topic, group) = (unique("orders/été"), "billing & co");
    messaging.create_group(&topic, group).await.unwrap();
    let found = queues(&string, "topic", &topic.encoded()).await;
    let [(name, metadata)] = &found[..] else { panic!("{found:?}") };
    assert!(name.starts_with("slight-msg-") && name.len() <= 63, "{name}");
    assert_eq!(metadata["group"], encode_name(group));
    messaging.delete_group(&topic, group).await.unwrap();
    assert!(queues(&string, "topic", &topic.encoded()).await.is_empty());
}

#[tokio::test]
async fn a_publisher_that_knew_no_group_reaches_the_one_that_another_process_has_made() {
    let Some(string) = azurite() else { return };
    let settings = serde_json::json!({ "connection-string": string });
    let (here, there) = (provider(settings.clone()).await, provider(settings).await);
    let (here, there) = (messaging(&*here), messaging(&*there));
    let topic = unique("topic");
    here.publish(&topic, message("to nobody")).await.unwrap();
    let mut deliveries = member(&*there, &topic, LEASE).await;
    here.publish(&topic, message("to the group")).await.unwrap();
    let delivery = next(&mut deliveries).await;
    assert_eq!(text_of(&*delivery), "to the group");
    ack(delivery).await;
}

#[tokio::test]
async fn a_large_message_is_in_a_blob_of_each_group_until_it_is_acknowledged() {
    let Some(string) = azurite() else { return };
    let messaging = messaging(&*connect(&string).await);
    let topic = unique("topic");
    let mut deliveries = member(&*messaging, &topic, LEASE).await;
    let queue = queue_of(&string, &topic).await;
    messaging.create_group(&topic, "other").await.unwrap();
    let data = pattern(3 * 1024 * 1024);
    messaging.publish(&topic, Message { data: data.clone(), ..Message::default() }).await.unwrap();
    assert_eq!(blobs(&string, &queue).await, 1);
    let delivery = next(&mut deliveries).await;
    assert_eq!(delivery.message().data, data);
    delivery.settle(Outcome::Retry { after: Duration::ZERO }).await.unwrap();
    let delivery = next(&mut deliveries).await;
    assert_eq!((delivery.message().data.len(), delivery.count()), (data.len(), 2));
    assert_eq!(blobs(&string, &queue).await, 1);
    ack(delivery).await;
    assert_eq!(blobs(&string, &queue).await, 0);
    let others = queues(&string, "topic", &topic.encoded()).await;
    let (other, _) = others.iter().find(|(name, _)| *name != queue).unwrap();
    assert_eq!(blobs(&string, other).await, 1);
    messaging.delete_group(&topic, "other").await.unwrap();
    assert_eq!(blobs(&string, other).await, 0);
}

#[tokio::test]
async fn a_message_too_large_is_refused_with_the_limit() {
    let Some(string) = azurite() else { return };
    let messaging = messaging(&*connect(&string).await);
    let data = vec![0; 64 * 1024 * 1024 + 1].into();
    let error = messaging.publish(&unique("topic"), Message { data, ..Message::default() }).await.unwrap_err();
    assert!(error.kind() == ErrorKind::TooLarge && error.message().contains("67108864"), "{error}");
}

#[tokio::test]
async fn what_another_program_puts_into_a_queue_is_delivered() {
    let Some(string) = azurite() else { return };
    let messaging = messaging(&*connect(&string).await);
    let topic = unique("topic");
    let mut deliveries = member(&*messaging, &topic, LEASE).await;
    let queue = raw::queues(&string).queue_client(&queue_of(&string, &topic).await).unwrap();
    let foreign = QueueMessage { message_text: Some("plain <text> & more".to_owned()) };
    queue.send_message(foreign.try_into().unwrap(), None).await.unwrap();
    let delivery = next(&mut deliveries).await;
    assert_eq!(text_of(&*delivery), "plain <text> & more");
    ack(delivery).await;
}

#[tokio::test]
async fn a_message_does_not_expire() {
    let Some(string) = azurite() else { return };
    let messaging = messaging(&*connect(&string).await);
    let topic = unique("topic");
    messaging.create_group(&topic, "group").await.unwrap();
    messaging.publish(&topic, message("kept")).await.unwrap();
    let queue = raw::queues(&string).queue_client(&queue_of(&string, &topic).await).unwrap();
    let peeked = queue.peek_messages(None).await.unwrap().into_model().unwrap().items.unwrap();
    assert_eq!(peeked[0].expiration_time.unwrap().year(), 9999);
}

#[tokio::test]
async fn a_member_of_a_deleted_group_is_told() {
    let Some(string) = azurite() else { return };
    let messaging = messaging(&*connect(&string).await);
    let topic = unique("topic");
    let mut deliveries = member(&*messaging, &topic, LEASE).await;
    messaging.delete_group(&topic, "group").await.unwrap();
    let error = deliveries.next().await.unwrap().err().unwrap();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert!(deliveries.next().await.is_none());
}

#[tokio::test]
async fn the_inboxes_of_the_dead_are_removed_and_those_of_the_living_are_not() {
    let Some(string) = azurite() else { return };
    let settings = serde_json::json!({ "connection-string": string, "messaging": { "location": "sweeping" } });
    let messaging = messaging(&*provider(settings).await);
    let living = messaging.inbox().await.unwrap();
    let dead = raw::queues(&string).queue_client(&format!("sweeping-inbox-{}", "a".repeat(20))).unwrap();
    let metadata = Some(HashMap::from([("alive".to_owned(), "1700000000".to_owned())]));
    dead.create(Some(QueueClientCreateOptions { metadata, ..Default::default() })).await.unwrap();
    let another = messaging.inbox().await.unwrap();
    eventually("the end of the dead inbox", async || !dead.exists().await.unwrap()).await;
    let queue = |address: &str| raw::queues(&string).queue_client(&format!("sweeping-inbox-{address}")).unwrap();
    let queues = [queue(&living.address), queue(&another.address)];
    for queue in &queues {
        assert!(queue.exists().await.unwrap());
    }
    drop((living, another));
    for queue in &queues {
        eventually("the end of an inbox", async || !queue.exists().await.unwrap()).await;
    }
}
