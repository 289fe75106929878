//! Messages from the memory provider, handled by closures in the guest's place.

mod drain;
mod failures;
mod faulty;
mod leases;
mod outages;
mod support;

use slight_capabilities::ErrorKind;

use self::support::{World, message, soon, text};
use super::source::Source;

#[tokio::test]
async fn a_message_is_handled_once_with_its_topic() {
    let world = World::new();
    let (handler, mut handled) = support::record();
    let running = world.run(world.subscription(&["orders"], "billing"), handler).await;
    world.publish("orders", "first").await;
    world.publish("other", "nobody's").await;
    world.publish("orders", "second").await;
    for expected in ["first", "second"] {
        let message = soon(handled.recv()).await.unwrap();
        assert_eq!(message.topic.as_deref(), Some("orders"));
        assert_eq!(text(&message.content), expected);
    }
    running.stop().await;
    assert!(handled.recv().await.is_none());
    world.publish("orders", "third").await;
    assert_eq!(text(world.take("orders", "billing").await.message()), "third", "the others were acknowledged");
}

#[tokio::test]
async fn two_subscriptions_each_get_their_own() {
    let world = World::new();
    let (billing, mut billed) = support::record();
    let (audit, mut audited) = support::record();
    let first = world.run(world.subscription(&["orders"], "billing"), billing).await;
    let second = world.run(world.subscription(&["orders", "refunds"], "audit"), audit).await;
    world.publish("orders", "order").await;
    world.publish("refunds", "refund").await;
    assert_eq!(text(&soon(billed.recv()).await.unwrap().content), "order");
    let mut topics =
        [soon(audited.recv()).await.unwrap(), soon(audited.recv()).await.unwrap()].map(|m| m.topic.unwrap());
    topics.sort();
    assert_eq!(topics.each_ref().map(AsRef::as_ref), ["orders", "refunds"]);
    first.stop().await;
    second.stop().await;
    assert!(billed.recv().await.is_none());
}

#[tokio::test]
async fn a_subscriber_that_cannot_be_is_refused_with_what_to_change() {
    let world = World::new();
    let services = world.services();
    let refused = |change: &dyn Fn(&mut super::Subscription)| {
        let mut subscription = world.subscription(&["orders"], "billing");
        change(&mut subscription);
        Source::new(&subscription, &services).err().map(|error| (error.kind(), error.to_string())).unwrap()
    };
    let (kind, text) = refused(&|it| it.client = "elsewhere".into());
    assert!(kind == ErrorKind::Denied && text.contains("[messaging]"), "{text}");
    let (kind, text) = refused(&|it| it.topics = vec!["t".repeat(120)]);
    assert!(kind == ErrorKind::Invalid && text.contains("set dead-letter"), "{text}");
    let (kind, text) = refused(&|it| it.dead_letter = Some("orders".into()));
    assert!(kind == ErrorKind::Invalid && text.contains("own dead-letter topic"), "{text}");
    assert_eq!(refused(&|it| it.capacity = 0).0, ErrorKind::Invalid);
    assert_eq!(refused(&|it| it.max_deliveries = 0).0, ErrorKind::Invalid);
    assert_eq!(refused(&|it| it.topics.clear()).0, ErrorKind::Invalid);
    assert_eq!(refused(&|it| it.group.clear()).0, ErrorKind::Invalid);
}

#[tokio::test]
async fn the_prefix_of_the_route_applies_to_topics_and_dead_letters() {
    let world = World::with_prefix("shop-");
    let (handler, _handled) = support::fail_always();
    let mut subscription = world.subscription(&["orders"], "billing");
    subscription.max_deliveries = 1;
    let running = world.run(subscription, handler).await;
    world.publish("orders", "bad").await;
    let dead = world.take("orders.billing.dead", "dead-letter").await;
    assert_eq!(*dead.message().data, *message("bad").data);
    running.stop().await;
}
