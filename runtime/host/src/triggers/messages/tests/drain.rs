use std::sync::Arc;

use tokio::sync::{Notify, Semaphore, mpsc};

use super::support::{Closure, World, soon, text};
use crate::Limits;

/// Tells of each message, and ends when it is let.
fn wait_for(go_on: &Arc<Notify>) -> (Closure, mpsc::UnboundedReceiver<String>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let go_on = go_on.clone();
    let handler = Closure::new(move |message| {
        sender.send(text(&message.content).to_owned()).unwrap();
        let go_on = go_on.clone();
        async move {
            go_on.notified().await;
            Ok(())
        }
    });
    (handler, receiver)
}

#[tokio::test]
async fn what_runs_may_end_and_what_has_not_begun_is_given_back() {
    let world = World::new();
    let (go_on, places) = (Arc::new(Notify::new()), Arc::new(Semaphore::new(1)));
    let (handler, mut begun) = wait_for(&go_on);
    let running = world.run(world.subscription(&["orders"], "billing"), handler.with_places(&places)).await;
    world.publish("orders", "first").await;
    assert_eq!(soon(begun.recv()).await.unwrap(), "first");
    world.publish("orders", "second").await;

    running.stop.cancel();
    let second = world.take("orders", "billing").await;
    assert_eq!((text(second.message()), second.count()), ("second", 1));
    assert!(!running.task.is_finished(), "the first still runs");
    go_on.notify_one();
    running.stop().await;
    assert!(begun.recv().await.is_none(), "the second was not begun");

    world.publish("orders", "third").await;
    assert_eq!(text(world.take("orders", "billing").await.message()), "third", "the first was acknowledged");
}

#[tokio::test]
async fn what_does_not_end_is_given_back() {
    let world = World::new();
    let (handler, mut begun) = wait_for(&Arc::new(Notify::new()));
    let running = world.run(world.subscription(&["orders"], "billing"), handler).await;
    world.publish("orders", "endless").await;
    assert_eq!(soon(begun.recv()).await.unwrap(), "endless");
    running.stop.cancel();
    running.abandon.cancel();
    running.stop().await;
    let again = world.take("orders", "billing").await;
    assert_eq!((text(again.message()), again.count()), ("endless", 2));
}

#[tokio::test]
async fn what_there_is_no_memory_for_is_left_to_others() {
    const TOTAL: usize = 1 << 40;
    let world = World::new();
    let shared = world.shared_within(Limits { total_memory: TOTAL, ..Limits::default() });
    assert!(shared.budget.take(TOTAL / 16 * 15));
    let go_on = Arc::new(Notify::new());
    let (handler, mut begun) = wait_for(&go_on);
    let subscription = world.subscription(&["orders"], "billing");
    let running = world.run_with(shared.clone(), subscription, handler).await;
    world.publish("orders", "alone").await;
    assert_eq!(soon(begun.recv()).await.unwrap(), "alone", "one at a time goes on");
    world.publish("orders", "beside it").await;
    let left = world.take("orders", "billing").await;
    assert_eq!(text(left.message()), "beside it");
    shared.budget.give_back(TOTAL / 16 * 15);
    world.publish("orders", "later").await;
    assert_eq!(soon(begun.recv()).await.unwrap(), "later");
    go_on.notify_one();
    go_on.notify_one();
    running.stop.cancel();
    running.abandon.cancel();
    running.stop().await;
}

#[tokio::test]
async fn no_more_than_the_capacity_is_handled_at_a_time() {
    let world = World::new();
    let go_on = Arc::new(Notify::new());
    let (handler, mut begun) = wait_for(&go_on);
    let mut subscription = world.subscription(&["orders"], "billing");
    subscription.capacity = 1;
    let running = world.run(subscription, handler).await;
    for number in ["1", "2", "3"] {
        world.publish("orders", number).await;
    }
    for number in ["1", "2", "3"] {
        assert_eq!(soon(begun.recv()).await.unwrap(), number);
        assert!(begun.is_empty());
        go_on.notify_one();
    }
    running.stop().await;
}
