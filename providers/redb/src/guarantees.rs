use slight_capabilities::{
    Guarantees, KeyValueCosts, KeyValueGuarantees, Largest, MessagingCosts, MessagingGuarantees,
};

use crate::{key_value, messaging};

pub(crate) const GUARANTEES: Guarantees = Guarantees {
    consistency: "a read sees every write that returned before, and nothing that is not durable",
    durability: "death of the process and power failure: each write is synced",
    sharing: "one process",
    key_value: Some(KeyValueGuarantees {
        largest_value: Largest::Bytes(key_value::LARGEST),
        order: "by the bytes of the key",
        costs: KeyValueCosts::all("0").with_writes("0, synced"),
    }),
    blob: None,
    messaging: Some(MessagingGuarantees {
        largest_message: Largest::Bytes(messaging::MAX_MESSAGE_BYTES as u64),
        order: "as published; retried ones go to the end of the line",
        costs: MessagingCosts {
            publish: "0, synced",
            receive: "0, synced for up to 32 messages",
            extend: "0, synced",
            settle: "0, synced",
            ..MessagingCosts::all("0")
        },
    }),
};
