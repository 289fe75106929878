use slight_capabilities::{
    Guarantees, KeyValueCosts, KeyValueGuarantees, Largest, MessagingCosts, MessagingGuarantees,
};

use crate::{key_value, messaging};

pub(crate) const GUARANTEES: Guarantees = Guarantees {
    consistency: "a read sees every write that returned before, from whatever process",
    durability: "as the server is set: everything with `appendonly yes` and `appendfsync always`, a failover aside",
    sharing: "any number, on any machines",
    key_value: Some(KeyValueGuarantees {
        largest_value: Largest::Bytes(key_value::MAX_VALUE_BYTES as u64),
        order: "none",
        costs: KeyValueCosts { open: "0", keys: "1 for each 1,000 keys in the database", ..KeyValueCosts::all("1") },
    }),
    blob: None,
    messaging: Some(MessagingGuarantees {
        largest_message: Largest::Bytes(messaging::MAX_MESSAGE_BYTES as u64),
        order: "as published for a lone member; retried ones come between",
        costs: MessagingCosts { receive: "1 for up to 32 messages", wait: "2 each second", ..MessagingCosts::all("1") },
    }),
};
