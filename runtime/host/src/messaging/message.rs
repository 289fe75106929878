use std::sync::Arc;

use slight_capabilities as capabilities;
use slight_capabilities::Messaging;
use wasmtime::{Result, component::Resource};

use crate::{Backend, bindings::wasi::messaging::types, state::State};

/// A message in the guest's hands.
pub struct Message {
    pub(crate) content: capabilities::Message,
    pub(crate) topic: Option<Arc<str>>,
    /// Where it came from, for a reply; `None` for one that the guest made.
    backend: Option<Backend<dyn Messaging>>,
}

impl Message {
    /// A message from a topic.
    pub(crate) fn received(topic: Arc<str>, backend: Backend<dyn Messaging>, content: capabilities::Message) -> Self {
        Self { content, topic: Some(topic), backend: Some(backend) }
    }

    /// A reply from an inbox.
    pub(super) fn reply(backend: Backend<dyn Messaging>, content: capabilities::Message) -> Self {
        Self { content, topic: None, backend: Some(backend) }
    }

    pub(crate) fn size(&self) -> usize {
        self.content.size()
    }

    /// What is sent of it: all but the address for replies, which means nothing to who gets it from somebody else.
    pub(super) fn into_outgoing(self) -> capabilities::Message {
        capabilities::Message { reply_to: None, ..self.content }
    }

    /// The same of one that the guest keeps.
    pub(super) fn outgoing(&self) -> capabilities::Message {
        capabilities::Message { reply_to: None, ..self.content.clone() }
    }

    /// Where a reply to it goes, if anybody waits for one.
    pub(super) fn reply_address(&self) -> Option<(&Backend<dyn Messaging>, &capabilities::ReplyTo)> {
        self.backend.as_ref().zip(self.content.reply_to.as_ref())
    }
}

/// Adds one entry, in place of those that have its key.
pub(crate) fn add_metadata(metadata: &mut Vec<(String, String)>, key: String, value: String) {
    match metadata.iter().position(|(existing, _)| *existing == key) {
        None => metadata.push((key, value)),
        Some(first) => {
            let mut index = 0;
            metadata.retain(|(existing, _)| {
                index += 1;
                index <= first + 1 || *existing != key
            });
            if let Some(entry) = metadata.get_mut(first) {
                entry.1 = value;
            }
        }
    }
}

impl State {
    fn edit(&mut self, message: &Resource<Message>, change: impl FnOnce(&mut capabilities::Message)) -> Result<()> {
        let content = &mut self.table.get_mut(message)?.content;
        change(content);
        let size = content.size();
        Ok(self.check_held(size)?)
    }
}

impl types::Host for State {}

/// The WIT gives these calls no errors: what cannot be done is a trap.
impl types::HostMessage for State {
    async fn new(&mut self, data: Vec<u8>) -> Result<Resource<Message>> {
        let content = capabilities::Message { data: data.into(), ..Default::default() };
        let size = content.size();
        let message = self.push(Message { content, topic: None, backend: None })?;
        self.check_held(size)?;
        Ok(message)
    }

    async fn topic(&mut self, message: Resource<Message>) -> Result<Option<String>> {
        Ok(self.table.get(&message)?.topic.as_deref().map(str::to_owned))
    }

    async fn content_type(&mut self, message: Resource<Message>) -> Result<Option<String>> {
        Ok(self.table.get(&message)?.content.content_type.clone())
    }

    async fn set_content_type(&mut self, message: Resource<Message>, content_type: String) -> Result<()> {
        self.edit(&message, |content| content.content_type = Some(content_type))
    }

    async fn data(&mut self, message: Resource<Message>) -> Result<Vec<u8>> {
        Ok(self.table.get(&message)?.content.data.to_vec())
    }

    async fn set_data(&mut self, message: Resource<Message>, data: Vec<u8>) -> Result<()> {
        self.edit(&message, |content| content.data = data.into())
    }

    async fn metadata(&mut self, message: Resource<Message>) -> Result<Option<Vec<(String, String)>>> {
        let metadata = &self.table.get(&message)?.content.metadata;
        Ok((!metadata.is_empty()).then(|| metadata.clone()))
    }

    async fn add_metadata(&mut self, message: Resource<Message>, key: String, value: String) -> Result<()> {
        self.edit(&message, |content| add_metadata(&mut content.metadata, key, value))
    }

    async fn set_metadata(&mut self, message: Resource<Message>, metadata: Vec<(String, String)>) -> Result<()> {
        self.edit(&message, |content| content.metadata = metadata)
    }

    async fn remove_metadata(&mut self, message: Resource<Message>, key: String) -> Result<()> {
        self.edit(&message, |content| content.metadata.retain(|(existing, _)| *existing != key))
    }

    async fn drop(&mut self, message: Resource<Message>) -> Result<()> {
        self.table.delete(message)?;
        Ok(())
    }
}
