//! The orders in the bucket `orders`, each as JSON under its id.

use crate::wasi::keyvalue::atomics::{self, Cas, CasError};
use crate::wasi::keyvalue::store::{self, Error};
use serde::{Deserialize, Serialize};

const BUCKET: &str = "orders";

/// An order and how far it is.
#[derive(Clone, Deserialize, Serialize)]
pub struct Order {
    pub id: String,
    pub item: String,
    pub quantity: u32,
    pub state: State,
}

/// How far an order is; it only moves on.
#[derive(Clone, Copy, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Received,
    Confirmed,
}

/// The order of this id.
pub fn find(id: &str) -> Result<Option<Order>, String> {
    match store::open(BUCKET).and_then(|bucket| bucket.get(id)).map_err(sentence)? {
        Some(value) => decode(&value).map(Some),
        None => Ok(None),
    }
}

/// Writes a new order.
pub fn write(order: &Order) -> Result<(), String> {
    let value = encode(order)?;
    store::open(BUCKET).and_then(|bucket| bucket.set(&order.id, &value)).map_err(sentence)
}

/// Confirms an order; whether this call did it, and not one before.
///
/// The change is a compare-and-swap: of two handlers that have the same order at the same time, one confirms it.
pub fn confirm(order: &Order) -> Result<bool, String> {
    let confirmed = encode(&Order { state: State::Confirmed, ..order.clone() })?;
    let bucket = store::open(BUCKET).map_err(sentence)?;
    let mut cas = Cas::new(&bucket, &order.id).map_err(sentence)?;
    loop {
        let found = cas.current().map_err(sentence)?.map(|value| decode(&value)).transpose()?;
        if found.is_some_and(|order| order.state == State::Confirmed) {
            return Ok(false);
        }
        match atomics::swap(cas, &confirmed) {
            Ok(()) => return Ok(true),
            // The handle that comes back has what the other writer left.
            Err(CasError::CasFailed(fresh)) => cas = fresh,
            Err(CasError::StoreError(error)) => return Err(sentence(error)),
        }
    }
}

fn encode(order: &Order) -> Result<Vec<u8>, String> {
    serde_json::to_vec(order).map_err(|error| format!("order {} cannot be written: {error}", order.id))
}

fn decode(value: &[u8]) -> Result<Order, String> {
    serde_json::from_slice(value).map_err(|error| format!("an order in the bucket `{BUCKET}` is damaged: {error}"))
}

fn sentence(error: Error) -> String {
    match error {
        Error::NoSuchStore => {
            format!("the place where the bucket `{BUCKET}` is kept does not exist")
        }
        Error::AccessDenied => {
            format!("the configuration gives no access to the bucket `{BUCKET}`")
        }
        Error::Other(sentence) => sentence,
    }
}
