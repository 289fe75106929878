//! wasi:messaging 0.2.0-draft: clients and messages, sending, and asking for replies. What makes a guest receive is in
//! [`crate::triggers`].

mod backoff;
mod inboxes;
mod message;
mod producer;
mod request_reply;

use slight_capabilities::{Error, ErrorKind, Messaging, QualifiedName, Result, check_name};
use wasmtime::component::Resource;

pub(crate) use self::message::add_metadata;
pub(crate) use self::{backoff::Backoff, inboxes::Inboxes};
pub use self::{message::Message, request_reply::RequestOptions};
use crate::{
    Backend,
    bindings::wasi::messaging::types,
    guard::Call,
    services::find_route,
    state::{Shared, State},
};

/// A client that the guest has connected.
pub struct Client {
    backend: Backend<dyn Messaging>,
    prefix: String,
    name: String,
    connected: bool,
}

impl Client {
    /// The topic of this name behind the client's route.
    fn topic(&self, name: String) -> Result<QualifiedName> {
        if !self.connected {
            return Err(Error::unavailable(format!("the client {:?} was disconnected; connect again", self.name)));
        }
        check_name("topic name", &name)?;
        Ok(QualifiedName::new(self.prefix.clone(), name))
    }
}

impl Shared {
    /// Finds what a client's name leads to.
    fn connect(&self, name: &str) -> Result<Client> {
        let route = self.denials.note(find_route(&self.services.messaging, "messaging", "client", name))?;
        // The name with the route's prefix; the empty one is `default` from here on.
        let QualifiedName { prefix, name } = route.qualify(name);
        check_name("client name", &name)?;
        Ok(Client { backend: route.provider.clone(), prefix, name, connected: true })
    }

    fn check_size(&self, message: &slight_capabilities::Message) -> Result<()> {
        let (size, limit) = (message.size(), self.limits.message);
        if size <= limit {
            return Ok(());
        }
        Err(Error::too_large("the message (limits.message)", size as u64, limit as u64))
    }

    async fn publish(
        &self,
        backend: &Backend<dyn Messaging>,
        operation: &'static str,
        topic: &QualifiedName,
        message: slight_capabilities::Message,
    ) -> Result<()> {
        let call = Call { section: &backend.section, operation, target: &topic.name };
        self.guarded(call, backend.provider.publish(topic, message)).await
    }
}

impl types::HostClient for State {
    async fn connect(&mut self, name: String) -> wasmtime::Result<Result<Resource<Client>, types::Error>> {
        let client = self.shared.connect(&name).and_then(|client| self.push(client));
        Ok(client.map_err(Into::into))
    }

    async fn disconnect(&mut self, client: Resource<Client>) -> wasmtime::Result<Result<(), types::Error>> {
        self.table.get_mut(&client)?.connected = false;
        Ok(Ok(()))
    }

    async fn drop(&mut self, client: Resource<Client>) -> wasmtime::Result<()> {
        self.table.delete(client)?;
        Ok(())
    }
}

impl From<Error> for types::Error {
    fn from(error: Error) -> Self {
        match error.kind() {
            ErrorKind::Timeout => Self::Timeout,
            ErrorKind::Unavailable => Self::Connection(error.to_string()),
            ErrorKind::Denied => Self::PermissionDenied(error.to_string()),
            _ => Self::Other(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests;
