use std::{collections::BTreeMap, time::Duration};

use futures_util::StreamExt;
use slight_capabilities::{ErrorKind, Message};
use slight_services::{Fault, Rule};

use crate::support::{Network, ack, connect, eventually, member, message, messaging, next, pattern, text_of, unique};

const LEASE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_publication_whose_answer_is_lost_is_not_sent_again() {
    let Some(network) = Network::new() else { return };
    let messaging = messaging(&*network.connect().await);
    let topic = unique("topic");
    let mut deliveries = member(&*messaging, &topic, LEASE).await;
    for data in ["small".into(), pattern(100_000)] {
        network.queues.take_requests();
        network.queues.add(Rule::once(Fault::CutAnswer).method("POST"));
        let lost = messaging.publish(&topic, Message { data: data.clone(), ..Message::default() }).await.unwrap_err();
        assert!(lost.kind() == ErrorKind::Timeout && lost.message().contains("unknown"), "{lost}");
        assert_eq!(network.queues.count("POST"), 1);
        let delivery = next(&mut deliveries).await;
        assert_eq!(delivery.message().data, data);
        ack(delivery).await;
    }
}

#[tokio::test]
async fn a_publication_waits_where_the_account_is_busy() {
    let Some(network) = Network::new() else { return };
    let messaging = messaging(&*network.connect().await);
    let topic = unique("topic");
    let mut deliveries = member(&*messaging, &topic, LEASE).await;
    network.queues.add(Rule::always(Fault::answer(503, "")).method("POST").times(2));
    messaging.publish(&topic, message("at last")).await.unwrap();
    assert_eq!(text_of(&*next(&mut deliveries).await), "at last");
}

#[tokio::test]
async fn a_partial_fan_out_is_an_error_and_keeps_what_was_sent() {
    let Some(network) = Network::new() else { return };
    let messaging = messaging(&*network.connect().await);
    let topic = unique("topic");
    for group in ["group", "other"] {
        messaging.create_group(&topic, group).await.unwrap();
    }
    network.queues.add(Rule::always(Fault::answer(503, "")).method("POST").after(1));
    let error = messaging.publish(&topic, message("to one")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    network.queues.clear();
    let subscribed = async |group: &str| {
        let subscription = slight_capabilities::Subscription {
            topics: vec![topic.clone()],
            group: group.into(),
            capacity: 1,
            visibility: LEASE,
        };
        messaging.subscribe(subscription).await.unwrap()
    };
    let (mut one, mut other) = (subscribed("group").await, subscribed("other").await);
    let empty = tokio::select! {
        _ = next(&mut one) => &mut other,
        _ = next(&mut other) => &mut one,
    };
    // A member that asks once more has had the answer to its last question.
    network.queues.take_requests();
    let mut looks = BTreeMap::<String, usize>::new();
    let both_look = async || {
        for request in network.queues.take_requests().into_iter().filter(|request| request.method == "GET") {
            *looks.entry(request.target).or_default() += 1;
        }
        looks.len() == 2 && looks.values().all(|looks| *looks >= 3)
    };
    tokio::select! {
        _ = empty.next() => panic!("both groups have it"),
        () = eventually("looks into both queues", both_look) => {}
    }
}

#[tokio::test]
async fn what_was_done_about_a_message_is_done_when_the_answer_is_lost() {
    let Some(network) = Network::new() else { return };
    let messaging = messaging(&*network.connect().await);
    let topic = unique("topic");
    let mut deliveries = member(&*messaging, &topic, LEASE).await;
    messaging.publish(&topic, message("message")).await.unwrap();
    let delivery = next(&mut deliveries).await;
    network.queues.add(Rule::once(Fault::CutAnswer).target("/messages/"));
    delivery.settle(slight_capabilities::Outcome::Retry { after: Duration::ZERO }).await.unwrap();
    let delivery = next(&mut deliveries).await;
    network.queues.add(Rule::once(Fault::CutAnswer).target("/messages/"));
    ack(delivery).await;
    messaging.publish(&topic, message("the next")).await.unwrap();
    assert_eq!(text_of(&*next(&mut deliveries).await), "the next");
}

#[tokio::test]
async fn a_member_outlives_failures() {
    let Some(network) = Network::new() else { return };
    let far = messaging(&*network.connect().await);
    let near = messaging(&*connect(&network.direct).await);
    let topic = unique("topic");
    let mut deliveries = member(&*far, &topic, Duration::from_secs(2)).await;
    for fault in
        [Fault::answer(500, ""), Fault::answer(503, ""), Fault::CutRequest, Fault::CutAnswer, Fault::CutBody(10)]
    {
        network.queues.add(Rule::always(fault).method("GET").target("/messages").times(2));
        near.publish(&topic, message("through all of it")).await.unwrap();
        loop {
            let delivery = next(&mut deliveries).await;
            assert_eq!(text_of(&*delivery), "through all of it");
            match delivery.settle(slight_capabilities::Outcome::Ack).await {
                Ok(()) => break,
                // The machine was busy for longer than the lease: it comes again.
                Err(error) => assert_eq!(error.kind(), ErrorKind::Conflict, "{error}"),
            }
        }
        network.queues.clear();
    }
}
