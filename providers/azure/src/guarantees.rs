use slight_capabilities::{
    BlobCosts, BlobGuarantees, Guarantees, KeyValueCosts, KeyValueGuarantees, Largest, MessagingCosts,
    MessagingGuarantees,
};

use crate::{blob, key_value, messaging};

pub(crate) const GUARANTEES: Guarantees = Guarantees {
    consistency: "a read sees every write that returned before, from whatever process",
    durability: "as the account is made: at least three copies in one place",
    sharing: "any number, on any machines",
    key_value: Some(KeyValueGuarantees {
        largest_value: Largest::Bytes(key_value::MAX_VALUE_BYTES),
        order: "by the encoded name",
        costs: KeyValueCosts {
            open: "0",
            increment: "2, and 2 more after each conflict",
            keys: "1 for up to 1,000 keys",
            get_many: "1 for each key, 16 at a time",
            set_many: "1 for each key, 16 at a time",
            delete_many: "1 for each key, 16 at a time",
            ..KeyValueCosts::all("1")
        },
    }),
    blob: Some(BlobGuarantees {
        largest_object: Largest::Bytes(blob::MAX_OBJECT_BYTES),
        order: "by the encoded name",
        costs: BlobCosts {
            delete_container: "2, and 1 for each object, 16 at a time",
            write: "1 below 4 MiB, else 1 for each 4 MiB and 1 more",
            list: "1 for up to 1,000 objects",
            delete: "1 for each object, 16 at a time",
            copy: "3, and 1 for each look at one that takes long",
            ..BlobCosts::all("1")
        },
    }),
    messaging: Some(MessagingGuarantees {
        largest_message: Largest::Bytes(messaging::MAX_MESSAGE_BYTES as u64),
        order: "none",
        costs: MessagingCosts {
            publish: "1 for each group, and 2 every 2 seconds; over 40 KiB 2 for each group",
            receive: "1 for up to 32 messages; over 40 KiB 1 more for each",
            wait: "1 each second for each topic",
            settle: "1; over 40 KiB 2 to acknowledge",
            ..MessagingCosts::all("1")
        },
    }),
};
