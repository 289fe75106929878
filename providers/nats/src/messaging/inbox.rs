use futures_util::{StreamExt, stream};
use slight_capabilities::{Error, Inbox, Message, Reply, ReplyTo, Result};
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
    let subject = subject(location, &address);
    let (subscriber, ready) = link.receive(subject).await?;
    // Before anybody learns the address, the server knows it.
    link.round_trip().await?;
    let reader = Reader { link: link.clone(), subscriber, ready: Some(ready) };
    let replies = stream::unfold(reader, |mut reader| async move { reader.next().await.map(|reply| (reply, reader)) });
    Ok(Inbox { address, replies: Box::pin(replies) })
}

/// Sends a reply to an inbox. Nobody tells whether it is open.
pub(super) async fn reply(link: &Link, location: &str, to: &ReplyTo, mut message: Message) -> Result<()> {
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
    /// The client asks for the subject again after an outage.
    subscriber: async_nats::Subscriber,
    /// Missing while there is no connection.
    ready: Option<Ready>,
}

impl Reader {
    async fn next(&mut self) -> Option<Result<Reply>> {
        if self.ready.is_none() {
            match self.link.ready().await {
                Ok(ready) => self.ready = Some(ready),
                Err(error) => {
                    sleep(PAUSE).await;
                    return Some(Err(error));
                }
            }
        }
        let ready = self.ready.as_mut()?;
        tokio::select! {
            biased;
            message = self.subscriber.next() => message.map(|message| Ok(read(message))),
            () = ready.lost() => {
                self.ready = None;
                Some(Err(errors::lost(true)))
            }
        }
    }
}

fn read(message: async_nats::Message) -> Reply {
    let mut message = envelope::read(message.headers.as_ref(), message.payload);
    let correlation = message.reply_to.take().map(|to| to.correlation).unwrap_or_default();
    Reply { correlation, message }
}
