use std::time::Duration;

use futures_util::StreamExt;
use slight_capabilities::{Inbox, Message, Reply, ReplyTo};
use tokio::time::{Instant, timeout_at};

use super::{Scope, message, new_topic, subscriber::ack};
use crate::check::{Failure, Outcome, described, equal};

fn address(inbox: &Inbox, correlation: &str) -> ReplyTo {
    ReplyTo { inbox: inbox.address.clone(), correlation: correlation.to_owned() }
}

/// The next reply within `wait`, if there is one. Errors are transient, and so passed over.
async fn next_within(inbox: &mut Inbox, wait: Duration) -> Outcome<Option<Reply>> {
    let deadline = Instant::now() + wait;
    let mut last_error = None;
    loop {
        match timeout_at(deadline, inbox.replies.next()).await {
            Ok(Some(Ok(reply))) => return Ok(Some(reply)),
            Ok(Some(Err(error))) => last_error = Some(described(&error)),
            Ok(None) => {
                return Err(Failure::new(format!(
                    "expected an inbox that stays open, found its end after {last_error:?}"
                )));
            }
            Err(_) => return Ok(None),
        }
    }
}

async fn next(scope: &Scope, inbox: &mut Inbox) -> Outcome<Reply> {
    let reply = next_within(inbox, scope.patience.event).await?;
    reply.ok_or_else(|| Failure::new(format!("expected a reply, found none within {:?}", scope.patience.event)))
}

async fn gets_nothing(scope: &Scope, inbox: &mut Inbox) -> Outcome {
    equal("the replies of an idle inbox", next_within(inbox, scope.patience.quiet).await?, None)
}

pub(super) async fn a_reply_reaches_its_inbox(scope: &Scope) -> Outcome {
    let mut inbox = scope.messaging.inbox().await?;
    let full = Message {
        data: (0..=u8::MAX).collect(),
        content_type: Some("text/plain; charset=utf-8".into()),
        metadata: [("b", "2"), ("a", "é\r\n"), ("a", "")].map(|(key, value)| (key.into(), value.into())).to_vec(),
        reply_to: None,
    };
    for (correlation, message) in [("1", full), ("a b/é*>\r\n", Message::default())] {
        scope.messaging.reply(&address(&inbox, correlation), message.clone()).await?;
        let expected = Reply { correlation: correlation.to_owned(), message };
        let what = format!("the reply to {correlation:?}");
        let reply = next(scope, &mut inbox).await.map_err(|failure| failure.within(&what))?;
        equal(what, reply, expected)?;
    }
    gets_nothing(scope, &mut inbox).await
}

pub(super) async fn a_request_carries_its_reply_address(scope: &Scope) -> Outcome {
    let topic = new_topic();
    let mut inbox = scope.messaging.inbox().await?;
    let mut member = scope.subscribe(&topic, "group").await?;
    let reply_to = address(&inbox, "request 1");
    let request = Message { reply_to: Some(reply_to.clone()), ..message("question") };
    scope.messaging.publish(&topic, request.clone()).await?;
    let delivery = member.next_is("question").await?;
    equal("the request", delivery.message(), &request)?;
    let asked = delivery.message().reply_to.clone();
    let asked = asked.ok_or_else(|| Failure::new("expected a reply address, found none"))?;
    scope.messaging.reply(&asked, message("answer")).await?;
    ack(delivery).await?;
    let expected = Reply { correlation: "request 1".into(), message: message("answer") };
    equal("the reply", next(scope, &mut inbox).await?, expected)
}

pub(super) async fn one_request_may_have_many_replies(scope: &Scope) -> Outcome {
    let mut inbox = scope.messaging.inbox().await?;
    let answers = super::texts(5);
    for answer in &answers {
        scope.messaging.reply(&address(&inbox, "1"), message(answer)).await?;
    }
    let mut found = Vec::new();
    for _ in &answers {
        let reply = next(scope, &mut inbox).await?;
        equal("the correlation", reply.correlation.as_str(), "1")?;
        found.push(String::from_utf8_lossy(&reply.message.data).into_owned());
    }
    found.sort_unstable();
    equal("the replies", found, answers)
}

pub(super) async fn inboxes_are_apart(scope: &Scope) -> Outcome {
    let (mut one, mut other) = (scope.messaging.inbox().await?, scope.messaging.inbox().await?);
    scope.messaging.reply(&address(&one, "1"), message("to the one")).await?;
    equal("the reply", next(scope, &mut one).await?.message, message("to the one"))?;
    gets_nothing(scope, &mut other).await?;
    scope.messaging.reply(&address(&other, "1"), message("to the other")).await?;
    equal("the reply", next(scope, &mut other).await?.message, message("to the other"))?;
    gets_nothing(scope, &mut one).await
}

pub(super) async fn a_reply_to_a_closed_inbox_is_ok(scope: &Scope) -> Outcome {
    let (closed, mut open) = (scope.messaging.inbox().await?, scope.messaging.inbox().await?);
    let reply_to = address(&closed, "1");
    drop(closed);
    for _ in 0..2 {
        scope.messaging.reply(&reply_to, message("to nobody")).await?;
    }
    gets_nothing(scope, &mut open).await
}
