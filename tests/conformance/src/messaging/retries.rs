use std::time::{Duration, Instant};

use futures_util::future::try_join;
use slight_capabilities::ErrorKind;

use super::{
    LEASE, Scope, new_topic,
    subscriber::{Subscriber, ack, release, retry, text_of},
    texts,
};
use crate::check::{Outcome, done_or, equal, require};

/// How much earlier than ours a server's clock may tick.
const CLOCKS: Duration = Duration::from_millis(50);

pub(super) async fn the_count_starts_at_one_and_grows(scope: &Scope) -> Outcome {
    let topic = new_topic();
    let mut member = scope.subscribe(&topic, "group").await?;
    let mut other = scope.subscribe(&topic, "other group").await?;
    scope.publish(&topic, "message").await?;
    let mut last = 0;
    for turn in 0..4 {
        let delivery = member.next_is("message").await?;
        let count = delivery.count();
        if turn == 0 {
            equal("the count of the first delivery", count, 1)?;
        }
        require(count > last, format_args!("expected more than count {last}, found {count}"))?;
        last = count;
        retry(delivery, Duration::ZERO).await?;
    }
    ack(member.next_is("message").await?).await?;
    let delivery = other.next_is("message").await?;
    equal("the count in another group", delivery.count(), 1)?;
    Ok(ack(delivery).await?)
}

pub(super) async fn an_acked_message_does_not_come_again(scope: &Scope) -> Outcome {
    let topic = new_topic();
    let mut member = scope.subscribe_briefly(&topic, "group").await?;
    scope.publish(&topic, "acked at once").await?;
    acked_in_time(&mut member, "acked at once").await?;
    scope.publish(&topic, "acked after a retry").await?;
    let retried = retry(member.next_is("acked after a retry").await?, Duration::ZERO).await;
    done_or("the retry", retried, ErrorKind::Conflict)?;
    acked_in_time(&mut member, "acked after a retry").await?;
    member.gets_nothing_for(LEASE + scope.patience.quiet).await
}

/// Acks a message before its short lease ends. Where the machine was too busy for that, it comes again.
async fn acked_in_time(member: &mut Subscriber, text: &str) -> Outcome {
    while !done_or("the ack", ack(member.next_is(text).await?).await, ErrorKind::Conflict)? {}
    Ok(())
}

pub(super) async fn retry_delivers_again_after_the_delay(scope: &Scope) -> Outcome {
    const DELAY: Duration = Duration::from_secs(2);
    let topic = new_topic();
    // Neither the lease nor the settling of another message brings it earlier.
    let mut member = scope.subscribe(&topic, "group").await?;
    scope.publish(&topic, "retried").await?;
    let delivery = member.next_is("retried").await?;
    let count = delivery.count();
    let asked = Instant::now();
    retry(delivery, DELAY).await?;
    scope.publish(&topic, "another").await?;
    let mut again = member.next().await?;
    // The other comes later only where the machine was too busy to deliver it within the delay.
    if text_of(&*again) == "another" {
        ack(again).await?;
        again = member.next().await?;
    }
    let waited = asked.elapsed() + CLOCKS;
    equal("the message delivered", text_of(&*again), "retried".to_owned())?;
    require(waited >= DELAY, format_args!("expected it again after {DELAY:?}, found it after {waited:?}"))?;
    require(again.count() > count, format_args!("expected more than count {count}, found {}", again.count()))?;
    Ok(ack(again).await?)
}

pub(super) async fn retry_with_no_delay_delivers_again_at_once(scope: &Scope) -> Outcome {
    let topic = new_topic();
    // The leases are long: what comes soon came because of the retry.
    let mut first = scope.subscribe(&topic, "group").await?;
    scope.publish(&topic, "message").await?;
    retry(first.next_is("message").await?, Duration::ZERO).await?;
    let delivery = first.next_is("message").await?;
    let mut second = scope.subscribe(&topic, "group").await?;
    retry(delivery, Duration::ZERO).await?;
    let again = tokio::select! {
        delivery = first.next_is("message") => delivery?,
        delivery = second.next_is("message") => delivery?,
    };
    ack(again).await?;
    try_join(first.gets_nothing(), second.gets_nothing()).await?;
    Ok(())
}

pub(super) async fn a_released_message_comes_again_at_once_and_uncounted(scope: &Scope) -> Outcome {
    let topic = new_topic();
    // The leases are long: what comes soon came because it was released.
    let mut member = scope.subscribe(&topic, "group").await?;
    scope.publish(&topic, "message").await?;
    for turn in 0..7 {
        let delivery = member.next_is("message").await?;
        equal(format_args!("the count after {turn} releases"), delivery.count(), 1)?;
        release(delivery).await?;
    }
    let delivery = member.next_is("message").await?;
    equal("the count before the retry", delivery.count(), 1)?;
    retry(delivery, Duration::ZERO).await?;
    for _ in 0..3 {
        let delivery = member.next_is("message").await?;
        equal("the count after one retry, however often it was released", delivery.count(), 2)?;
        release(delivery).await?;
    }
    // To another member as well, whoever released it.
    let delivery = member.next_is("message").await?;
    drop(member);
    let mut other = scope.subscribe(&topic, "group").await?;
    release(delivery).await?;
    let delivery = other.next_is("message").await?;
    equal("the count at another member", delivery.count(), 2)?;
    ack(delivery).await?;
    other.gets_nothing().await
}

pub(super) async fn what_nobody_took_does_not_count(scope: &Scope) -> Outcome {
    let topic = new_topic();
    let sent = texts(6);
    scope.create_group(&topic, "group").await?;
    scope.publish_all(&topic, &sent).await?;
    // A provider may lease all of them ahead; each time one is taken, and released.
    for _ in 0..6 {
        let mut member = scope.subscribe(&topic, "group").await?;
        let delivery = member.next().await?;
        equal("the count of the one that is taken", delivery.count(), 1)?;
        release(delivery).await?;
    }
    let mut last = scope.subscribe(&topic, "group").await?;
    let mut found = Vec::new();
    for _ in &sent {
        let delivery = last.next().await?;
        equal(format_args!("the count of {:?}", text_of(&*delivery)), delivery.count(), 1)?;
        found.push(text_of(&*delivery));
        ack(delivery).await?;
    }
    found.sort_unstable();
    equal("all the messages", found, sent)?;
    last.gets_nothing().await
}
