use std::{collections::BTreeSet, sync::Arc, time::Duration};

use futures_util::StreamExt;
use slight_capabilities::{Messaging, Outcome as Settlement, QualifiedName, ReplyTo, Subscription};
use tokio::{sync::mpsc, task::JoinSet, time::timeout};

use super::{
    Outage,
    load::{Load, PATIENCE},
};
use crate::{
    case::Patience,
    check::{Failure, Outcome, equal},
    messaging::{
        message,
        subscriber::{Subscriber, ack, text_of},
    },
};

/// For what comes after an outage.
const LONG: Patience = Patience { event: PATIENCE, quiet: Duration::ZERO };

fn messaging(outage: &Outage) -> Outcome<Arc<dyn Messaging>> {
    outage.provider.messaging().ok_or_else(|| Failure::new("expected a provider of messaging, found none"))
}

fn topic() -> QualifiedName {
    "topic".into()
}

async fn member(messaging: &dyn Messaging, visibility: Duration) -> Outcome<Subscriber> {
    let subscription = Subscription { topics: vec![topic()], group: "group".into(), capacity: 10, visibility };
    Ok(Subscriber::new(messaging.subscribe(subscription).await?, LONG))
}

pub(super) async fn acknowledged_messages_survive_an_outage(outage: &mut Outage) -> Outcome {
    let messaging = messaging(outage)?;
    let (report, mut received) = mpsc::unbounded_channel();
    let mut receiving = JoinSet::new();
    for _ in 0..2 {
        receiving.spawn(receive(member(&*messaging, Duration::from_secs(5)).await?, report.clone()));
    }
    let load = Arc::<Load>::default();
    let tasks = load.start(|load, task| publish(load, messaging.clone(), task));
    load.outage(outage).await?;
    let mut missing: BTreeSet<String> = load.end(tasks).await?.into_iter().flatten().collect();
    while !missing.is_empty() {
        let Ok(Some(text)) = timeout(PATIENCE, received.recv()).await else {
            let why = receiving.try_join_next();
            return Err(Failure::new(format!("expected {} more messages, found none ({why:?})", missing.len())));
        };
        missing.remove(&text);
    }
    Ok(())
}

/// Publishes one message after the other; the texts of those that were acknowledged.
async fn publish(load: Arc<Load>, messaging: Arc<dyn Messaging>, task: usize) -> Outcome<Vec<String>> {
    let mut published = Vec::new();
    for number in 0.. {
        if load.is_over() {
            break;
        }
        let text = format!("{task}/{number}");
        if load.call(messaging.publish(&topic(), message(&text))).await? {
            published.push(text);
        }
    }
    Ok(published)
}

/// Acks what comes, and tells its texts.
async fn receive(mut member: Subscriber, report: mpsc::UnboundedSender<String>) -> Outcome {
    loop {
        let delivery = member.next().await?;
        if report.send(text_of(&*delivery)).is_err() {
            return Ok(());
        }
        // Where the server is away just now, it comes once more.
        let _ = delivery.settle(Settlement::Ack).await;
    }
}

pub(super) async fn a_subscriber_goes_on_after_an_outage(outage: &mut Outage) -> Outcome {
    let messaging = messaging(outage)?;
    let mut member = member(&*messaging, Duration::from_secs(60)).await?;
    messaging.publish(&topic(), message("before")).await?;
    ack(member.next_is("before").await?).await?;
    outage.kill();
    outage.restart();
    // Asked again over a new connection, which publishing is not.
    outage.provider.ping().await?;
    messaging.publish(&topic(), message("after")).await?;
    Ok(ack(member.next_is("after").await?).await?)
}

pub(super) async fn an_inbox_goes_on_after_an_outage(outage: &mut Outage) -> Outcome {
    let messaging = messaging(outage)?;
    let mut inbox = messaging.inbox().await?;
    outage.kill();
    outage.restart();
    outage.provider.ping().await?;
    let to = ReplyTo { inbox: inbox.address.clone(), correlation: "1".into() };
    // A reply to an inbox that is not open again yet is dropped.
    let send = async {
        loop {
            messaging.reply(&to, message("answer")).await?;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let receive = async {
        loop {
            if let Some(Ok(reply)) = inbox.replies.next().await {
                return reply;
            }
        }
    };
    let reply = tokio::select! {
        reply = timeout(PATIENCE, receive) => reply,
        failed = send => return failed,
    };
    let reply = reply.map_err(|_| Failure::new(format!("expected a reply, found none within {PATIENCE:?}")))?;
    equal("the reply", (reply.correlation, reply.message), ("1".to_owned(), message("answer")))
}
