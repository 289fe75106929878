use std::sync::atomic::{AtomicU32, Ordering};

use slight_capabilities::Outcome;
use std::time::Duration;

use super::support::{Closure, World, fail_always, metadata, record, soon, tell, text};

#[tokio::test]
async fn a_message_that_failed_comes_again_until_it_is_handled() {
    let world = World::new();
    let starts = AtomicU32::new(0);
    let (handler, mut handled) = tell(move || match starts.fetch_add(1, Ordering::Relaxed) {
        0 | 1 => Err("not yet".to_owned()),
        _ => Ok(()),
    });
    let running = world.run(world.subscription(&["orders"], "billing"), handler).await;
    world.publish("orders", "stubborn").await;
    for _ in 0..3 {
        assert_eq!(text(&soon(handled.recv()).await.unwrap().content), "stubborn");
    }
    running.stop().await;
    assert!(handled.recv().await.is_none());
    world.publish("orders", "next").await;
    assert_eq!(text(world.take("orders", "billing").await.message()), "next");
}

#[tokio::test]
async fn after_the_last_delivery_a_message_goes_to_the_dead_letter_topic_and_says_why() {
    let world = World::new();
    let (handler, mut handled) = fail_always();
    let running = world.run(world.subscription(&["orders"], "billing"), handler).await;
    let mut bad = super::message("bad");
    bad.content_type = Some("text/plain".into());
    bad.metadata = vec![("tenant".into(), "eu".into()), ("dead-letter-count".into(), "old".into())];
    world.provider.publish(&"orders".into(), bad).await.unwrap();

    let dead = world.take("orders.billing.dead", "dead-letter").await;
    let dead = dead.message();
    assert_eq!(text(dead), "bad");
    assert_eq!(dead.content_type.as_deref(), Some("text/plain"));
    for (name, value) in [
        ("tenant", "eu"),
        ("dead-letter-topic", "orders"),
        ("dead-letter-group", "billing"),
        ("dead-letter-count", "3"),
        ("dead-letter-error", "no stock"),
    ] {
        assert_eq!(metadata(dead, name), Some(value), "{name}");
    }
    assert!(humantime::parse_rfc3339(metadata(dead, "dead-letter-time").unwrap()).is_ok());
    assert_eq!(dead.metadata.len(), 6);

    running.stop().await;
    for _ in 0..3 {
        assert!(handled.recv().await.is_some());
    }
    assert!(handled.recv().await.is_none(), "it was not delivered once more");
    world.publish("orders", "next").await;
    assert_eq!(text(world.take("orders", "billing").await.message()), "next", "it was acknowledged");
}

#[tokio::test]
async fn the_dead_letter_topic_can_be_chosen() {
    let world = World::new();
    let (handler, _handled) = fail_always();
    let mut subscription = world.subscription(&["orders"], "billing");
    subscription.dead_letter = Some("graveyard".into());
    let running = world.run(subscription, handler).await;
    world.publish("orders", "bad").await;
    assert_eq!(text(world.take("graveyard", "dead-letter").await.message()), "bad");
    running.stop().await;
}

#[tokio::test]
async fn a_message_that_was_delivered_too_often_is_not_begun() {
    let world = World::new();
    world.provider.create_group(&"orders".into(), "billing").await.unwrap();
    world.publish("orders", "killer").await;
    for _ in 0..6 {
        // As if the process had ended each time, which is forgiven as often again as a failure.
        world.take("orders", "billing").await.settle(Outcome::Retry { after: Duration::ZERO }).await.unwrap();
    }
    let (handler, mut handled) = record();
    let running = world.run(world.subscription(&["orders"], "billing"), handler).await;
    let dead = world.take("orders.billing.dead", "dead-letter").await;
    assert_eq!(metadata(dead.message(), "dead-letter-count"), Some("7"));
    assert_eq!(metadata(dead.message(), "dead-letter-error"), None);
    running.stop().await;
    assert!(handled.recv().await.is_none());
}

#[tokio::test]
async fn a_panic_of_the_host_fails_one_message_only() {
    let world = World::new();
    let handler = Closure::new(|message| async move {
        assert_ne!(text(&message.content), "bug");
        Ok(())
    });
    let mut subscription = world.subscription(&["orders"], "billing");
    subscription.max_deliveries = 1;
    let running = world.run(subscription, handler).await;
    world.publish("orders", "bug").await;
    let dead = world.take("orders.billing.dead", "dead-letter").await;
    assert!(metadata(dead.message(), "dead-letter-error").unwrap().contains("panicked"));
    running.stop().await;
}

#[tokio::test]
async fn a_long_error_is_shortened_where_a_character_begins() {
    let world = World::new();
    let (handler, _handled) = tell(|| Err(format!("x{}", "é".repeat(2000))));
    let mut subscription = world.subscription(&["orders"], "billing");
    subscription.max_deliveries = 1;
    let running = world.run(subscription, handler).await;
    world.publish("orders", "bad").await;
    let dead = world.take("orders.billing.dead", "dead-letter").await;
    assert_eq!(metadata(dead.message(), "dead-letter-error").unwrap().len(), 1023);
    running.stop().await;
}
