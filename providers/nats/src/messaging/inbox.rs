use async_nats::{Message, Subscriber};
use futures_util::{StreamExt, stream};
use slight_capabilities::{Error, Inbox, Reply, ReplyTo, Result};
use tokio::time::{Duration, sleep};

use super::envelope;
use crate::{
    call::{Call, unique},
    errors,
    link::{Link, Ready},
};

/// How long to wait after an error.
const PAUSE: Duration = Duration::from_millis(250);

/// Opens an inbox: a subject that no stream keeps, and that nobody else listens to.
pub(super) async fn open(link: &Link, location: &str) -> Result<Inbox> {
    let address = unique();
    let mut reader = Reader { link: link.clone(), subject: subject(location, &address), receiving: None };
    reader.receive().await?;
    let replies = stream::unfold(reader, |mut reader| async move { reader.next().await.map(|reply| (reply, reader)) });
    Ok(Inbox { address, replies: Box::pin(replies) })
}

/// Sends a reply to an inbox. Nobody tells whether it is open.
pub(super) async fn reply(
    link: &Link,
    location: &str,
    to: &ReplyTo,
    mut message: slight_capabilities::Message,
) -> Result<()> {
    // Anybody can write an address into a message: it must lead nowhere but to an inbox.
    if to.inbox.is_empty() || !to.inbox.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(Error::invalid(format!("{:?} is not the address of an inbox", to.inbox)));
    }
    message.reply_to = Some(to.clone());
    let (headers, payload) = envelope::write(message);
    link.tell(Call { subject: subject(location, &to.inbox), headers: Some(headers), payload }).await
}

fn subject(location: &str, address: &str) -> String {
    format!("_INBOX.{location}.{address}")
}

struct Reader {
    link: Link,
    subject: String,
    /// Missing where the client has ended. After an outage it asks for the subject again by itself.
    receiving: Option<(Subscriber, Option<Ready>)>,
}

impl Reader {
    async fn receive(&mut self) -> Result<()> {
        let beside = self.link.beside();
        let (subscriber, ready) = beside.receive(self.subject.clone()).await?;
        // Before anybody learns the address, the server knows it.
        beside.round_trip().await?;
        self.receiving = Some((subscriber, Some(ready)));
        Ok(())
    }

    async fn next(&mut self) -> Option<Result<Reply>> {
        match self.received().await {
            Ok(message) => Some(Ok(read(message))),
            Err(error) => {
                sleep(PAUSE).await;
                Some(Err(error))
            }
        }
    }

    async fn received(&mut self) -> Result<Message> {
        if self.receiving.is_none() {
            self.receive().await?;
        }
        let Some((subscriber, connection)) = &mut self.receiving else { return Err(errors::lost(true)) };
        let ready = match connection {
            Some(ready) => ready,
            None => connection.insert(self.link.beside().ready().await?),
        };
        tokio::select! {
            biased;
            message = subscriber.next() => if let Some(message) = message { return Ok(message) },
            () = ready.lost() => {
                *connection = None;
                return Err(errors::lost(true));
            }
        }
        self.link.renew_beside(&ready.client);
        self.receiving = None;
        Err(errors::lost(true))
    }
}

fn read(message: Message) -> Reply {
    let mut message = envelope::read(message.headers.as_ref(), message.payload);
    let correlation = message.reply_to.take().map(|to| to.correlation).unwrap_or_default();
    Reply { correlation, message }
}
