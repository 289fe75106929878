use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use futures_util::future::{try_join, try_join3};
use slight_capabilities::{Delivery, ErrorKind, QualifiedName};
use tokio::sync::watch;

use super::{
    LEASE, LONG_LEASE, Scope, new_topic,
    subscriber::{Subscriber, ack, retry, text_of},
    texts,
};
use crate::{
    check::{Outcome, done_or, equal, require},
    race::race,
};

/// How much earlier than ours a server's clock may tick.
const CLOCKS: Duration = Duration::from_millis(50);

/// Acks a delivery whose lease is short; false if that was too late, as may happen on a busy machine.
async fn settled(delivery: Box<dyn Delivery>) -> Outcome<bool> {
    done_or("an ack", ack(delivery).await, ErrorKind::Conflict)
}

/// The next delivery of either member, which must be of this text.
async fn next_of_two(one: &mut Subscriber, other: &mut Subscriber, text: &str) -> Outcome<Box<dyn Delivery>> {
    tokio::select! {
        delivery = one.next_is(text) => delivery,
        delivery = other.next_is(text) => delivery,
    }
}

pub(super) async fn at_most_capacity_are_out_at_a_time(scope: &Scope) -> Outcome {
    let topic = new_topic();
    let mut member = scope.subscribe_with(&[&topic], "group", 2, LONG_LEASE).await?;
    let sent = texts(5);
    scope.publish_all(&topic, &sent).await?;
    let (first, second) = (member.next().await?, member.next().await?);
    let mut found = vec![text_of(&*first), text_of(&*second)];
    member.gets_nothing().await?;
    ack(first).await?;
    let third = member.next().await?;
    member.gets_nothing().await?;
    // A retry gives room as well, and comes when there is.
    retry(second, LEASE).await?;
    let fourth = member.next().await?;
    found.extend([text_of(&*third), text_of(&*fourth)]);
    ack(third).await?;
    ack(fourth).await?;
    found.extend(member.ack_all(2).await?);
    let found: BTreeSet<_> = found.into_iter().collect();
    equal("all the messages", found, sent.into_iter().collect())
}

pub(super) async fn an_unsettled_message_comes_again_after_its_lease(scope: &Scope) -> Outcome {
    let topic = new_topic();
    let mut other = scope.subscribe_briefly(&topic, "group").await?;

    // Held for longer than the lease.
    let mut holder = scope.subscribe_briefly(&topic, "group").await?;
    let taken = Instant::now();
    scope.publish(&topic, "held").await?;
    let held = next_of_two(&mut holder, &mut other, "held").await?;
    let mut again = next_of_two(&mut holder, &mut other, "held").await?;
    let waited = taken.elapsed() + CLOCKS;
    require(waited >= LEASE, format_args!("expected it again after {LEASE:?}, found it after {waited:?}"))?;
    require(
        again.count() > held.count(),
        format_args!("expected more than count {}, found {}", held.count(), again.count()),
    )?;
    // Until it is: else it would come between what follows.
    while !settled(again).await? {
        again = next_of_two(&mut holder, &mut other, "held").await?;
    }
    drop(held);

    // Dropped, and its holder with it.
    drop(other);
    scope.publish(&topic, "dropped").await?;
    let dropped = holder.next_is("dropped").await?;
    let count = dropped.count();
    drop(dropped);
    drop(holder);
    let again = scope.subscribe_briefly(&topic, "group").await?.next_is("dropped").await?;
    require(again.count() > count, format_args!("expected more than count {count}, found {}", again.count()))?;
    settled(again).await?;
    Ok(())
}

pub(super) async fn extend_keeps_the_lease(scope: &Scope) -> Outcome {
    /// Extended often enough that a busy machine is not late, and for longer than it lasts.
    const LASTS: Duration = Duration::from_secs(6);
    const TURN: Duration = Duration::from_secs(1);
    const TURNS: usize = 9;
    let topic = new_topic();
    let mut holder = scope.subscribe_with(&[&topic], "group", 100, LASTS).await?;
    scope.publish(&topic, "extended").await?;
    let mut delivery = holder.next_is("extended").await?;
    let mut other = scope.subscribe_with(&[&topic], "group", 100, LASTS).await?;
    for _ in 0..TURNS {
        try_join(holder.gets_nothing_for(TURN), other.gets_nothing_for(TURN)).await?;
        delivery.extend().await?;
    }
    Ok(ack(delivery).await?)
}

/// A message that was with one member for too long, and is with another: the late delivery, the other, and the member.
async fn late(scope: &Scope, topic: &QualifiedName) -> Outcome<(Box<dyn Delivery>, Box<dyn Delivery>, Subscriber)> {
    // With room for one: what it holds keeps it from fetching the message again.
    let mut first = scope.subscribe_with(&[topic], "group", 1, LEASE).await?;
    scope.publish(topic, "message").await?;
    let late = first.next_is("message").await?;
    let mut second = scope.subscribe(topic, "group").await?;
    let held = second.next_is("message").await?;
    drop(first);
    Ok((late, held, second))
}

pub(super) async fn settling_after_the_lease_ended_loses_nothing(scope: &Scope) -> Outcome {
    let acked = async {
        let topic = new_topic();
        let (late, held, mut member) = late(scope, &topic).await?;
        if !done_or("a late ack", ack(late).await, ErrorKind::Conflict)? {
            // It had no effect, so the other still has the message and may give it back.
            retry(held, Duration::ZERO).await?;
            ack(member.next_is("message").await?).await?;
        }
        Outcome::Ok(())
    };
    let retried = async {
        let topic = new_topic();
        let (late, held, mut member) = late(scope, &topic).await?;
        done_or("a late retry", retry(late, Duration::ZERO).await, ErrorKind::Conflict)?;
        done_or("the retry of the other", retry(held, Duration::ZERO).await, ErrorKind::Conflict)?;
        ack(member.next_is("message").await?).await?;
        Outcome::Ok(())
    };
    let extended = async {
        let topic = new_topic();
        let (mut late, held, mut member) = late(scope, &topic).await?;
        done_or("a late extension", late.extend().await, ErrorKind::Conflict)?;
        done_or("the retry of the other", retry(held, Duration::ZERO).await, ErrorKind::Conflict)?;
        ack(member.next_is("message").await?).await?;
        Outcome::Ok(())
    };
    try_join3(acked, retried, extended).await?;
    Ok(())
}

pub(super) async fn a_dropped_stream_loses_nothing(scope: &Scope) -> Outcome {
    let topic = new_topic();
    let mut first = scope.subscribe(&topic, "group").await?;
    scope.publish(&topic, "held beyond the stream").await?;
    let held = first.next().await?;
    drop(first);
    ack(held).await?;

    let topic = new_topic();
    let mut first = scope.subscribe_with(&[&topic], "group", 5, LEASE).await?;
    let sent = texts(10);
    scope.publish_all(&topic, &sent).await?;
    let mut found = BTreeSet::new();
    let delivery = first.next().await?;
    let text = text_of(&*delivery);
    if settled(delivery).await? {
        found.insert(text);
    }
    let dropped = first.next().await?;
    drop(first);
    drop(dropped);
    let mut second = scope.subscribe(&topic, "group").await?;
    while found.len() < sent.len() {
        let delivery = second.next().await.map_err(|failure| failure.within(format_args!("after {}", found.len())))?;
        found.insert(text_of(&*delivery));
        ack(delivery).await?;
    }
    equal("all the messages", found, sent.into_iter().collect())?;
    second.gets_nothing().await
}

pub(super) async fn racing_members_get_each_message_once(scope: &Scope) -> Outcome {
    const MEMBERS: usize = 4;
    const MESSAGES: usize = 200;
    let topic = new_topic();
    let mut members = Vec::new();
    for _ in 0..MEMBERS {
        let member = scope.subscribe_with(&[&topic], "group", 5, LONG_LEASE).await?;
        members.push(member);
    }
    let (count, counted) = watch::channel(0);
    let racing = race(MEMBERS, |_| {
        let member = members.pop();
        let (count, mut counted) = (count.clone(), counted.clone());
        async move {
            let mut found = Vec::new();
            let Some(mut member) = member else { return Ok(found) };
            loop {
                tokio::select! {
                    _ = async { counted.wait_for(|count| *count >= MESSAGES).await.is_ok() } => {
                        member.gets_nothing().await?;
                        return Outcome::Ok(found);
                    }
                    delivery = member.next() => {
                        let delivery = delivery?;
                        found.push(text_of(&*delivery));
                        ack(delivery).await?;
                        count.send_modify(|count| *count += 1);
                    }
                }
            }
        }
    });
    let mut sent = texts(MESSAGES);
    let publishing = async { scope.publish_all(&topic, &sent).await };
    let (raced, published) = tokio::join!(racing, publishing);
    published?;
    let mut found = Vec::new();
    for part in raced? {
        found.extend(part?);
    }
    found.sort_unstable();
    sent.sort_unstable();
    equal("what all members got together", found, sent)
}
