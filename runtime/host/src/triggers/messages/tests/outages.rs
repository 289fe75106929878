use std::sync::Arc;

use slight_capabilities::Error;

use super::{
    super::Subscription,
    faulty::Faulty,
    support::{World, fail_always, metadata, record, soon, text},
};

/// A world with one message in the group `billing` of `orders`, whose provider fails from now on as told.
async fn world_with(message: &str, faults: impl FnOnce(&mut Faulty)) -> World {
    let mut world = World::new();
    world.provider.create_group(&"orders".into(), "billing").await.unwrap();
    world.publish("orders", message).await;
    let mut provider = Faulty::new(&world.provider);
    faults(&mut provider);
    world.provider = Arc::new(provider);
    world
}

fn delivered_once(world: &World) -> Subscription {
    Subscription { max_deliveries: 1, ..world.subscription(&["orders"], "billing") }
}

#[tokio::test]
async fn a_failed_subscribe_is_tried_again() {
    let world = world_with("at last", |it| (it.failing_groups, it.failing_subscribes) = (2.into(), 3.into())).await;
    let (handler, mut handled) = record();
    let running = world.run(world.subscription(&["orders"], "billing"), handler).await;
    assert_eq!(text(&soon(handled.recv()).await.unwrap().content), "at last");
    running.stop().await;
}

#[tokio::test]
async fn errors_and_ends_of_the_stream_lose_nothing() {
    let world = world_with("0", |it| it.ending_streams = 3.into()).await;
    let (handler, mut handled) = record();
    let running = world.run(world.subscription(&["orders"], "billing"), handler).await;
    for number in 0..6 {
        assert_eq!(text(&soon(handled.recv()).await.unwrap().content), number.to_string());
        world.publish("orders", &(number + 1).to_string()).await;
    }
    running.stop().await;
}

#[tokio::test]
async fn errors_from_before_do_not_delay_what_comes_after_them() {
    let world = world_with("at last", |it| it.queued_errors = 12.into()).await;
    let (handler, mut handled) = record();
    let running = world.run(world.subscription(&["orders"], "billing"), handler).await;
    assert_eq!(text(&soon(handled.recv()).await.unwrap().content), "at last");
    running.stop().await;
}

#[tokio::test]
async fn a_drain_waits_for_no_backend_that_is_away() {
    let world = world_with("unreached", |it| it.failing_subscribes = u32::MAX.into()).await;
    let (handler, mut handled) = record();
    let running = world.run(world.subscription(&["orders"], "billing"), handler).await;
    running.stop().await;
    assert!(handled.recv().await.is_none());
}

#[tokio::test]
async fn a_message_stays_in_its_group_until_the_dead_letter_topic_has_it() {
    let world = world_with("bad", |it| it.failing_publishes = 2.into()).await;
    let (handler, mut handled) = fail_always();
    let running = world.run(delivered_once(&world), handler).await;
    let dead = world.take("orders.billing.dead", "dead-letter").await;
    assert_eq!((text(dead.message()), metadata(dead.message(), "dead-letter-count")), ("bad", Some("3")));
    running.stop().await;
    for _ in 0..2 {
        assert!(handled.recv().await.is_some());
    }
    assert!(handled.recv().await.is_none(), "it was begun no more, once it had come twice as often as it may");
}

#[tokio::test]
async fn a_dead_letter_that_its_metadata_makes_too_large_goes_without() {
    let too_large = || Error::too_large("the message", 2, 1);
    let world = world_with("big", |it| (it.failing_publishes, it.error) = (1.into(), too_large)).await;
    let (handler, _handled) = fail_always();
    let running = world.run(delivered_once(&world), handler).await;
    let dead = world.take("orders.billing.dead", "dead-letter").await;
    assert_eq!((text(dead.message()), dead.message().metadata.len()), ("big", 0));
    running.stop().await;
}
