use slight_capabilities::Result;
use wasmtime::component::Resource;

use super::{Client, Message, types::Error};
use crate::{
    bindings::wasi::messaging::producer,
    state::{Shared, State},
};

impl producer::Host for State {
    async fn send(
        &mut self,
        client: Resource<Client>,
        topic: String,
        message: Resource<Message>,
    ) -> wasmtime::Result<Result<(), Error>> {
        let message = self.table.delete(message)?;
        let client = self.table.get(&client)?;
        Ok(self.shared.send(client, topic, message).await.map_err(Into::into))
    }
}

impl Shared {
    async fn send(&self, client: &Client, topic: String, message: Message) -> Result<()> {
        let topic = client.topic(topic)?;
        let message = message.into_outgoing();
        self.check_size(&message)?;
        self.publish(&client.backend, "messaging send", &topic, message).await
    }
}
