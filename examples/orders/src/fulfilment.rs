//! What happens to an order once its message arrives.

use crate::Orders;
use crate::exports::wasi::messaging::incoming_handler::{Error, Guest, Message};
use crate::ledger::{self, Order};

impl Guest for Orders {
    /// Confirms the order in the message. A message can come more than once: a second one finds the order
    /// confirmed and changes nothing.
    ///
    /// An error brings the message back later. One that is no order comes back until the host moves it to
    /// the dead-letter topic, where someone can look at it.
    fn handle(message: Message) -> Result<(), Error> {
        let order: Order = serde_json::from_slice(&message.data())
            .map_err(|error| Error::Other(format!("the message is no order: {error}")))?;
        if ledger::confirm(&order).map_err(Error::Other)? {
            println!("confirmed {} x {}", order.quantity, order.item);
        }
        Ok(())
    }
}
