//! From a customer's request to a message.

use crate::ledger::{self, Order, State};
use crate::wasi::messaging::producer;
use crate::wasi::messaging::types::{Client, Error, Message};
use serde::Deserialize;

const TOPIC: &str = "orders";

/// What a customer asks for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderRequest {
    item: String,
    quantity: u32,
}

/// Writes the order down as received and passes it on.
///
/// The record comes first, so that the order can be looked up as soon as the customer knows its id. If the
/// publishing fails the customer is asked to try again, under a new id; a record that is left says `received` for ever.
pub fn take(request: OrderRequest) -> Result<Order, String> {
    let OrderRequest { item, quantity } = request;
    let order = Order { id: new_id(), item, quantity, state: State::Received };
    ledger::write(&order)?;
    publish(&order).map_err(|error| match error {
        Error::Timeout => "publishing the order took too long".into(),
        Error::Connection(sentence) | Error::PermissionDenied(sentence) | Error::Other(sentence) => sentence,
    })?;
    Ok(order)
}

fn publish(order: &Order) -> Result<(), Error> {
    let data = serde_json::to_vec(order).map_err(|error| Error::Other(error.to_string()))?;
    let message = Message::new(&data);
    message.set_content_type("application/json");
    producer::send(&Client::connect("")?, TOPIC, message)
}

/// 128 random bits: copies of this program need not agree on who gives which.
fn new_id() -> String {
    let mut bytes = [0; 16];
    wstd::rand::get_random_bytes(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
