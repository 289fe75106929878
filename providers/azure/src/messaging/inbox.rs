use std::{collections::HashMap, collections::VecDeque, sync::Arc, time::Duration};

use azure_storage_queue::{
    QueueClient,
    models::{
        ListQueuesIncludeType, QueueClientCreateOptions, QueueClientReceiveMessagesOptions,
        QueueServiceClientListQueuesOptions,
    },
};
use futures_util::{TryStreamExt, future::join_all, stream};
use slight_capabilities::{Inbox, Message, Reply, ReplyTo, Result};
use tokio::{
    runtime::Handle,
    sync::Notify,
    time::{Instant, sleep, timeout},
};

use super::{
    groups::seconds_since_1970,
    post::{Opened, Post, Sent, pack},
    queues,
    received::{self, Received},
};
use crate::{
    attempts::{Lost, jittered},
    errors::Failure,
};

/// How long a reply waits for its requester, in seconds.
const REPLY_LASTS: i32 = 300;

/// How long a reply is out while it is fetched, in seconds.
const LEASE: i32 = 30;

const BATCH: i32 = 32;

/// How long to wait before looking again where nothing was: twice as long each time, and at most the second.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// How often an inbox says that its owner is alive.
const KEEP: Duration = Duration::from_secs(60);

/// An inbox that has not said so for this many seconds is removed by the next process that opens one. Azure takes no
/// requests of clocks that differ by more.
const EXPIRES: u64 = 15 * 60;

/// In the metadata of an inbox: when its owner was alive, in seconds since 1970.
const ALIVE: &str = "alive";

/// Opens an inbox: a queue of its own, which is looked at now and then, and at once after `sent` tells of a request.
pub(super) async fn open(post: &Arc<Post>, sent: Arc<Notify>) -> Result<Inbox> {
    let address = queues::new_address();
    let name = format!("{}{address}", queues::of_inboxes(&post.location.name));
    let queue = post.queue(&name)?;
    let open = Open { post: post.clone(), name, queue };
    open.make().await?;
    tokio::spawn(sweep(post.clone()));
    let reader =
        Reader { open, sent, unread: VecDeque::new(), kept: Instant::now(), pause: FIRST_PAUSE, failed: false };
    let replies = stream::unfold(reader, |mut reader| async move {
        let reply = reader.next().await;
        reader.failed = reply.is_err();
        Some((reply, reader))
    });
    Ok(Inbox { address, replies: Box::pin(replies) })
}

/// Sends a reply to an inbox, if it is open.
pub(super) async fn reply(post: &Post, to: &ReplyTo, mut message: Message) -> Result<()> {
    if !queues::is_address(&to.inbox) {
        return Ok(());
    }
    message.reply_to = Some(to.clone());
    let name = format!("{}{}", queues::of_inboxes(&post.location.name), to.inbox);
    match post.send(&name, &pack(message)?, REPLY_LASTS).await? {
        Sent::Taken | Sent::NoQueue => Ok(()),
    }
}

fn alive() -> HashMap<String, String> {
    HashMap::from([(ALIVE.to_owned(), seconds_since_1970().to_string())])
}

/// Removes the inboxes of processes that have died.
async fn sweep(post: Arc<Post>) {
    // Where this fails, the next process does it.
    for (name, seen) in inboxes(&post).await.unwrap_or_default() {
        let _ = match seen {
            Some(alive) if seconds_since_1970().saturating_sub(alive) > EXPIRES => post.remove(&name).await,
            Some(_) => Ok(()),
            // Somebody else has changed what it says: its owner says it again within a minute, if it lives.
            None => mark(&post, &name).await,
        };
    }
}

async fn mark(post: &Post, name: &str) -> Result<()> {
    let (queue, metadata) = (post.queue(name)?, alive());
    let marked = post.link.ask(Lost::SendAgain, || queue.set_metadata(&metadata, None)).await;
    marked.map(drop).map_err(|failure| failure.into_error(name))
}

/// All inboxes, and when their owners were alive.
async fn inboxes(post: &Post) -> Result<Vec<(String, Option<u64>)>> {
    let prefix = queues::of_inboxes(&post.location.name);
    let service = post.link.queues()?;
    let ask = || {
        let options = QueueServiceClientListQueuesOptions {
            prefix: Some(prefix.clone()),
            include: Some(vec![ListQueuesIncludeType::Metadata]),
            ..Default::default()
        };
        let pages = service.list_queues(Some(options));
        async {
            let mut pages = pages?.into_pages();
            let mut found = Vec::new();
            while let Some(page) = pages.try_next().await? {
                found.extend(page.into_model()?.queue_items);
            }
            Ok(found)
        }
    };
    let found = post.link.ask(Lost::SendAgain, ask).await.map_err(|failure| failure.into_error(&prefix))?;
    let inboxes = found.into_iter().filter_map(|queue| {
        // Of another location whose name begins as this one, or of another program.
        let name = queue.name.filter(|name| name.strip_prefix(&prefix).is_some_and(queues::is_address))?;
        let alive = queue.metadata.and_then(|metadata| metadata.get(ALIVE)?.parse().ok());
        Some((name, alive))
    });
    Ok(inboxes.collect())
}

/// An inbox that closes when this goes.
struct Open {
    post: Arc<Post>,
    name: String,
    queue: QueueClient,
}

impl Drop for Open {
    fn drop(&mut self) {
        // At the end of the process there is no runtime: then it expires.
        let Ok(runtime) = Handle::try_current() else { return };
        let (post, name) = (self.post.clone(), std::mem::take(&mut self.name));
        runtime.spawn(async move { post.remove(&name).await });
    }
}

struct Reader {
    open: Open,
    sent: Arc<Notify>,
    unread: VecDeque<Result<Reply>>,
    /// When the inbox last said that its owner is alive.
    kept: Instant,
    pause: Duration,
    failed: bool,
}

impl Reader {
    async fn next(&mut self) -> Result<Reply> {
        if self.failed {
            sleep(LONGEST_PAUSE).await;
        }
        loop {
            if let Some(reply) = self.unread.pop_front() {
                return reply;
            }
            let fetched = match self.keep().await {
                Ok(()) => self.fetch().await,
                failed => failed,
            };
            match fetched {
                Err(failure) if failure.is_no_queue() => self.open.make_again().await?,
                fetched => fetched.map_err(|failure| failure.into_error(&self.open.name))?,
            }
            if !self.unread.is_empty() {
                self.pause = FIRST_PAUSE;
                continue;
            }
            let is_sent = timeout(jittered(self.pause), self.sent.notified()).await.is_ok();
            self.pause = if is_sent { FIRST_PAUSE } else { (self.pause * 2).min(LONGEST_PAUSE) };
        }
    }

    async fn keep(&mut self) -> Result<(), Failure> {
        if self.kept.elapsed() > KEEP {
            let metadata = alive();
            self.open.post.link.ask(Lost::SendAgain, || self.open.queue.set_metadata(&metadata, None)).await?;
            self.kept = Instant::now();
        }
        Ok(())
    }

    async fn fetch(&mut self) -> Result<(), Failure> {
        let ask = || async {
            let options = QueueClientReceiveMessagesOptions {
                number_of_messages: Some(BATCH),
                visibility_timeout: Some(LEASE),
                ..Default::default()
            };
            self.open.queue.receive_messages(Some(options)).await
        };
        let received = received::read(self.open.post.link.ask(Lost::SendAgain, ask).await?);
        self.unread.extend(join_all(received.into_iter().map(|message| self.open.take(message))).await);
        Ok(())
    }
}

impl Open {
    async fn make(&self) -> Result<()> {
        let ask = || {
            let options = QueueClientCreateOptions { metadata: Some(alive()), ..Default::default() };
            self.queue.create(Some(options))
        };
        match self.post.link.ask(Lost::SendAgain, ask).await {
            // Another attempt has made it, a second before.
            Err(failure) if failure.code() != "QueueAlreadyExists" => Err(failure.into_error(&self.name)),
            _ => Ok(()),
        }
    }

    /// Makes the queue again that somebody else has deleted. The address stays: requests that are out are answered there.
    async fn make_again(&self) -> Result<()> {
        self.make().await?;
        let name = &self.name;
        tracing::warn!(
            "the queue {name:?}, an inbox for replies, had been deleted with what was in it; it was made again"
        );
        Ok(())
    }

    /// Reads a reply, and removes it.
    async fn take(&self, received: Result<Received>) -> Result<Reply> {
        let Received { id, receipt, text, .. } = received?;
        let Opened { mut message, blob, .. } = self.post.open(&self.name, &text).await?;
        // One that cannot be removed comes again, or expires.
        let _ = self.post.link.ask(Lost::SendAgain, || self.queue.delete_message(&id, &receipt, None)).await;
        if let Some(blob) = blob {
            let _ = self.post.location.delete(&blob).await;
        }
        let correlation = message.reply_to.take().map(|to| to.correlation).unwrap_or_default();
        Ok(Reply { correlation, message })
    }
}
