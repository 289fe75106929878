use std::time::Duration;

use slight_capabilities as capabilities;
use slight_capabilities::{Error, Result};
use wasmtime::component::Resource;

use super::{Client, Message, inboxes::Waiting, types};
use crate::{
    bindings::wasi::messaging::request_reply,
    guard::Call,
    state::{Shared, State},
};

/// How long to wait for how many replies.
#[derive(Default)]
pub struct RequestOptions {
    /// For all of them; without, `limits.backend-timeout`.
    timeout: Option<Duration>,
    /// Without, one.
    expected_replies: Option<u32>,
}

impl request_reply::HostRequestOptions for State {
    async fn new(&mut self) -> wasmtime::Result<Resource<RequestOptions>> {
        Ok(self.push(RequestOptions::default())?)
    }

    async fn set_timeout_ms(&mut self, options: Resource<RequestOptions>, milliseconds: u32) -> wasmtime::Result<()> {
        self.table.get_mut(&options)?.timeout = Some(Duration::from_millis(milliseconds.into()));
        Ok(())
    }

    async fn set_expected_replies(&mut self, options: Resource<RequestOptions>, count: u32) -> wasmtime::Result<()> {
        self.table.get_mut(&options)?.expected_replies = Some(count);
        Ok(())
    }

    async fn drop(&mut self, options: Resource<RequestOptions>) -> wasmtime::Result<()> {
        self.table.delete(options)?;
        Ok(())
    }
}

impl request_reply::Host for State {
    async fn request(
        &mut self,
        client: Resource<Client>,
        topic: String,
        message: Resource<Message>,
        options: Option<Resource<RequestOptions>>,
    ) -> wasmtime::Result<Result<Vec<Resource<Message>>, types::Error>> {
        let options = options.map(|options| self.table.delete(options)).transpose()?.unwrap_or_default();
        let message = self.table.get(&message)?.outgoing();
        let client = self.table.get(&client)?;
        let backend = client.backend.clone();
        let replies = self.shared.request(client, topic, message, &options).await;
        let messages = replies.map(|replies| replies.into_iter().map(|reply| Message::reply(backend.clone(), reply)));
        Ok(messages.and_then(|messages| self.push_all(messages)).map_err(Into::into))
    }

    async fn reply(
        &mut self,
        reply_to: Resource<Message>,
        message: Resource<Message>,
    ) -> wasmtime::Result<Result<(), types::Error>> {
        let message = self.table.delete(message)?;
        let received = self.table.get(&reply_to)?;
        Ok(self.shared.reply(received, message).await.map_err(Into::into))
    }
}

impl State {
    /// All of them or none.
    fn push_all(&mut self, messages: impl Iterator<Item = Message>) -> Result<Vec<Resource<Message>>> {
        let mut handles = Vec::new();
        for message in messages {
            match self.push(message) {
                Ok(handle) => handles.push(handle),
                Err(error) => {
                    for handle in handles {
                        // What was put there just now is there.
                        let _ = self.table.delete(handle);
                    }
                    return Err(error);
                }
            }
        }
        Ok(handles)
    }
}

impl Shared {
    /// Sends a request and collects replies until there are enough or the time is over. Some are as good as all.
    async fn request(
        &self,
        client: &Client,
        topic: String,
        message: capabilities::Message,
        options: &RequestOptions,
    ) -> Result<Vec<capabilities::Message>> {
        let timeout = options.timeout.unwrap_or(self.limits.backend_timeout);
        // More than the guest can hold would be more than can be handed to it.
        let expected = options.expected_replies.unwrap_or(1).try_into().unwrap_or(usize::MAX).min(self.limits.handles);
        let mut replies = Vec::new();
        let exchange = async {
            let mut waiting = self.ask(client, topic, message, expected).await?;
            self.collect(&mut waiting, expected, &mut replies).await
        };
        match tokio::time::timeout(timeout, exchange).await {
            Ok(result) => result?,
            Err(_) if replies.is_empty() => {
                return Err(Error::timeout(format!("no reply came within {timeout:?}")));
            }
            Err(_) => {}
        }
        Ok(replies)
    }

    async fn ask(
        &self,
        client: &Client,
        topic: String,
        mut message: capabilities::Message,
        expected: usize,
    ) -> Result<Waiting> {
        let topic = client.topic(topic)?;
        self.check_size(&message)?;
        let backend = &client.backend;
        let call = Call { section: &backend.section, operation: "messaging inbox", target: &topic.name };
        let inbox = self.guarded(call, self.inboxes.open(backend)).await?;
        let waiting = inbox.wait(expected);
        message.reply_to = Some(waiting.address());
        self.publish(backend, "messaging request", &topic, message).await?;
        Ok(waiting)
    }

    async fn collect(
        &self,
        waiting: &mut Waiting,
        expected: usize,
        replies: &mut Vec<capabilities::Message>,
    ) -> Result<()> {
        let mut size = 0;
        while replies.len() < expected {
            let Some(reply) = waiting.next().await else {
                return match replies.is_empty() {
                    false => Ok(()),
                    true => Err(Error::unavailable("the inbox for replies was closed by the backend; ask again")),
                };
            };
            size += reply.size();
            if size > self.limits.returned {
                let limit = self.limits.returned;
                return Err(Error::too_large("the replies together (limits.returned)", size as u64, limit as u64));
            }
            replies.push(reply);
        }
        Ok(())
    }

    /// Answers what was received; without an address nobody waits, and nothing is to be done.
    async fn reply(&self, received: &Message, message: Message) -> Result<()> {
        let Some((backend, to)) = received.reply_address() else { return Ok(()) };
        let message = message.into_outgoing();
        self.check_size(&message)?;
        let call = Call { section: &backend.section, operation: "messaging reply", target: &to.inbox };
        self.guarded(call, backend.provider.reply(to, message)).await
    }
}
