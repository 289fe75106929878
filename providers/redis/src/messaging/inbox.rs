use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;
use futures_util::stream;
use redis::{Value, cmd, from_redis_value};
use slight_capabilities::{Error, Inbox, Message, Reply, ReplyTo, Result};
use tokio::{runtime::Handle, time::sleep};

use super::{envelope, scripts, server};
use crate::{
    link::{Link, Lost},
    script::Call,
    waiting::Waiting,
};

/// How many replies an inbox holds that nobody has read yet. A reply to a full one is refused, so that a requester that has
/// stopped reading fills no server, and the replier learns that its reply is lost.
const MAX_UNREAD: &str = "1024";

/// After how long an inbox closes by itself whose owner has died.
const EXPIRES: Duration = Duration::from_secs(300);

/// How long one wait for replies lasts. After each the inbox is kept open for longer.
const WAIT: Duration = Duration::from_secs(5);

/// How long to wait after an error.
const PAUSE: Duration = Duration::from_millis(250);

/// How many replies are fetched in one round trip at most.
const BATCH: usize = 64;

/// Opens an inbox: a stream that is read on a connection of its own.
pub(super) async fn open(link: &Link, location: &str) -> Result<Inbox> {
    let address = server::unique();
    let key = key(location, &address);
    let open = Open { link: link.clone(), key: key.clone() };
    let waiting = Waiting::new(link.target.as_ref().clone(), WAIT);
    let mut reader = Reader { open, waiting, last: "0-0".to_owned(), unread: VecDeque::new(), failed: false };
    reader.keep().await?;
    let replies = stream::unfold(reader, |mut reader| async move {
        let reply = reader.next().await;
        reader.failed = reply.is_err();
        Some((reply, reader))
    });
    Ok(Inbox { address, replies: Box::pin(replies) })
}

/// Sends a reply to an inbox, if it is open.
pub(super) async fn reply(link: &Link, location: &str, to: &ReplyTo, mut message: Message) -> Result<()> {
    // An address is part of a key: what is none of ours is no inbox that is open.
    if !to.inbox.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(());
    }
    message.reply_to = Some(to.clone());
    let fields = envelope::write(message)?;
    let expires = EXPIRES.as_millis().to_string();
    let arguments: Vec<&[u8]> =
        [MAX_UNREAD.as_bytes(), expires.as_bytes()].into_iter().chain(fields.iter().map(Bytes::as_ref)).collect();
    let key = key(location, &to.inbox);
    let call = Call { keys: &[key.as_bytes()], arguments: &arguments };
    let (notes, is_there): (Vec<Vec<u8>>, bool) = link.script(&scripts::REPLY, call, Lost::Report).await?;
    log(&notes);
    match is_there {
        true => Ok(()),
        false => Err(Error::unavailable(format!(
            "the inbox {:?} is full: its owner has {MAX_UNREAD} replies to read",
            to.inbox
        ))),
    }
}

/// No topic is named so: an encoded name has no colon.
pub(super) fn key(location: &str, address: &str) -> String {
    format!("{location}:{{inbox:{address}}}")
}

fn log(notes: &[Vec<u8>]) {
    for note in notes {
        server::log("an inbox", note);
    }
}

/// An inbox that closes when this goes.
struct Open {
    link: Link,
    key: String,
}

impl Drop for Open {
    fn drop(&mut self) {
        // At the end of the process there is no runtime: then it expires.
        let Ok(runtime) = Handle::try_current() else { return };
        let (link, key) = (self.link.clone(), std::mem::take(&mut self.key));
        runtime.spawn(async move {
            let mut command = cmd("UNLINK");
            command.arg(key);
            link.run::<()>(&command, Lost::SendAgain).await
        });
    }
}

struct Reader {
    open: Open,
    waiting: Waiting,
    /// The id of the last reply fetched.
    last: String,
    unread: VecDeque<Reply>,
    failed: bool,
}

impl Reader {
    async fn next(&mut self) -> Result<Reply> {
        if self.failed {
            sleep(PAUSE).await;
        }
        loop {
            if let Some(reply) = self.unread.pop_front() {
                return Ok(reply);
            }
            self.keep().await?;
            self.fetch().await?;
        }
    }

    /// Opens the inbox, also after the server has lost it, and keeps it open.
    async fn keep(&mut self) -> Result<()> {
        let expires = EXPIRES.as_millis().to_string();
        let call = Call { keys: &[self.open.key.as_bytes()], arguments: &[self.last.as_bytes(), expires.as_bytes()] };
        let (notes, last): (Vec<Vec<u8>>, String) =
            self.open.link.script(&scripts::KEEP_INBOX, call, Lost::SendAgain).await?;
        log(&notes);
        self.last = last;
        Ok(())
    }

    async fn fetch(&mut self) -> Result<()> {
        let mut command = cmd("XREAD");
        command.arg("BLOCK").arg(WAIT.as_millis() as u64).arg("COUNT").arg(BATCH);
        command.arg("STREAMS").arg(&self.open.key).arg(&self.last);
        let Some(found): Option<Vec<(Value, Vec<Value>)>> = self.waiting.run(&command).await? else { return Ok(()) };
        for entry in found.into_iter().flat_map(|(_, entries)| entries) {
            // Each by itself: what one holds keeps nobody from the others.
            let Ok((id, fields)) = from_redis_value::<(String, Vec<Value>)>(entry) else { continue };
            self.last = id;
            self.unread.push_back(read(fields));
        }
        Ok(())
    }
}

fn read(fields: Vec<Value>) -> Reply {
    let mut message = envelope::read(fields);
    let correlation = message.reply_to.take().map(|to| to.correlation).unwrap_or_default();
    Reply { correlation, message }
}
