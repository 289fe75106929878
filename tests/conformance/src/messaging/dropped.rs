use std::{collections::BTreeSet, time::Duration};

use slight_capabilities::{ErrorKind, ReplyTo};

use super::{
    Scope, message, new_topic,
    subscriber::{ack, retry, text_of},
};
use crate::{
    check::{Outcome, done_or, require},
    race::until_wait,
};

/// Calls are dropped when they wait for the first time, the second, and so on to this.
const WAITS: usize = 5;

pub(super) async fn a_dropped_call_is_done_or_not_done(scope: &Scope) -> Outcome {
    let topic = new_topic();
    let mut member = scope.subscribe_briefly(&topic, "group").await?;
    let (mut missing, mut sent) = (BTreeSet::new(), BTreeSet::new());
    for wait in 1..=WAITS {
        for (drops, text) in [(true, format!("dropped {wait}")), (false, format!("kept {wait}"))] {
            sent.insert(text.clone());
            let wait = if drops { wait } else { usize::MAX };
            let published = until_wait(wait, scope.publish(&topic, &text)).await.transpose()?;
            if published.is_some() {
                missing.insert(text);
            }
        }
        // A member that comes, and goes before it is one, takes nothing with it.
        until_wait(wait, scope.subscribe_briefly(&topic, "group")).await.transpose()?;
        until_wait(wait, scope.create_group(&topic, "other")).await.transpose()?;
        until_wait(wait, scope.messaging.delete_group(&topic, "other")).await.transpose()?;
        if let Some(inbox) = until_wait(wait, scope.messaging.inbox()).await.transpose()? {
            let to = ReplyTo { inbox: inbox.address.clone(), correlation: "1".into() };
            until_wait(wait, scope.messaging.reply(&to, message("answer"))).await.transpose()?;
        }
        // What is not settled, whether it was dropped, extended or given back in vain, comes again.
        drop(member.next_unless_dropped(wait).await?);
        let mut delivery = member.next().await?;
        if let Some(extended) = until_wait(wait, delivery.extend()).await {
            done_or("an extend", extended, ErrorKind::Conflict)?;
        }
        if let Some(given_back) = until_wait(wait, retry(delivery, Duration::ZERO)).await {
            done_or("a retry", given_back, ErrorKind::Conflict)?;
        }
    }
    while !missing.is_empty() {
        let delivery = member.next().await.map_err(|failure| failure.within(format_args!("of {missing:?}")))?;
        let text = text_of(&*delivery);
        require(sent.contains(&text), format_args!("expected one of {sent:?}, found {text:?}"))?;
        done_or("an ack", ack(delivery).await, ErrorKind::Conflict)?;
        missing.remove(&text);
    }
    // Only now, since a dropped one may have been settled nevertheless.
    scope.publish(&topic, "acked").await?;
    loop {
        let delivery = member.next().await?;
        let is_last = text_of(&*delivery) == "acked";
        let done = until_wait(1, ack(delivery)).await;
        done.map(|done| done_or("an ack", done, ErrorKind::Conflict)).transpose()?;
        if is_last {
            break;
        }
    }
    let other = new_topic();
    let mut after = scope.subscribe(&other, "group").await?;
    scope.publish(&other, "after").await?;
    Ok(ack(after.next_is("after").await?).await?)
}
