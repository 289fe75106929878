use std::sync::Arc;

use super::Handler;
use crate::{
    bindings::{
        message_handler::{MessageHandler, MessageHandlerPre},
        wasi::messaging::types,
    },
    failure::describe,
    instances::{Instances, Permit},
    messaging::Message,
    state::State,
};

/// The component: each message is handled by a fresh instance.
pub(super) struct Guest {
    instances: Arc<Instances>,
    pre: MessageHandlerPre<State>,
}

impl Guest {
    /// Finds the handler among the component's exports.
    ///
    /// # Errors
    /// When it is not there.
    pub fn new(instances: Arc<Instances>) -> wasmtime::Result<Self> {
        Ok(Self { pre: MessageHandlerPre::new(instances.pre.clone())?, instances })
    }

    async fn call(&self, message: Message) -> wasmtime::Result<Result<(), types::Error>> {
        let mut store = self.instances.store()?;
        let topic = message.topic.as_deref().unwrap_or_default();
        store.data().origin.serve(format!("a message of {topic:?}").into());
        let handler: MessageHandler = self.pre.instantiate_async(&mut store).await?;
        let message = store.data_mut().push(message)?;
        handler.wasi_messaging_incoming_handler().call_handle(&mut store, message).await
    }
}

impl Handler for Guest {
    type Place = Option<Permit>;

    async fn admit(&self) -> Option<Permit> {
        self.instances.admit_message().await.ok()
    }

    async fn handle(self: Arc<Self>, place: Option<Permit>, message: Message) -> Result<(), String> {
        let Some(_permit) = place else { return Err("the host takes no more work".to_owned()) };
        let deadline = self.instances.message_deadline();
        let handled = tokio::select! {
            handled = self.call(message) => handled,
            () = deadline.passed() => {
                let timeout = self.instances.shared.limits.timeout;
                return Err(format!("the handler did not end within {timeout:?} (limits.timeout) and was stopped"));
            }
        };
        match handled {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(sentence(error)),
            Err(error) => Err(format!("the handler failed: {}", describe(&error))),
        }
    }
}

fn sentence(error: types::Error) -> String {
    match error {
        types::Error::Timeout => "the handler says: timeout".to_owned(),
        types::Error::Connection(text) => format!("the handler says: connection: {text}"),
        types::Error::PermissionDenied(text) => format!("the handler says: permission-denied: {text}"),
        types::Error::Other(text) => format!("the handler says: {text}"),
    }
}
