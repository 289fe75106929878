use slight_capabilities::{
    BlobCosts, BlobGuarantees, Guarantees, KeyValueCosts, KeyValueGuarantees, Largest, MessagingCosts,
    MessagingGuarantees,
};

/// What the page `docs/providers/nats.md` explains.
pub(crate) const GUARANTEES: Guarantees = Guarantees {
    consistency: "reads see every acknowledged write: they go to the leader of the stream",
    durability: "`kill -9` of the server; loss of power with `sync_interval: always`, or of a server with `replicas`",
    sharing: "any number of processes",
    key_value: Some(KeyValueGuarantees {
        largest_value: Largest::Of("the server's `max_payload` (1 MiB) less 128 bytes"),
        order: "by the time of the last write",
        costs: KeyValueCosts {
            open: "0",
            increment: "2, and 2 more for each race lost to another process",
            keys: "2 for each 1,000 keys, and 1 at the end",
            get_many: "1: one request for each key, at the same time",
            set_many: "1: one request for each key, at the same time",
            delete_many: "1: one request for each key, at the same time",
            ..KeyValueCosts::all("1")
        },
    }),
    blob: Some(BlobGuarantees {
        largest_object: Largest::Of("the room of the server"),
        order: "by the time of the last write",
        costs: BlobCosts {
            read: "2 to 128 KiB; else 2, and 1 for each 2 MiB; 2 more for a range that begins later",
            write: "4, 5 to overwrite, and 1 more for each 2 MiB",
            list: "2 for each 1,000 objects, and 1 at the end",
            delete: "3 for each 32 objects",
            copy: "2, a read and a write: the bytes pass through slight",
            ..BlobCosts::all("1")
        },
    }),
    messaging: Some(MessagingGuarantees {
        largest_message: Largest::Of("the server's `max_payload` (1 MiB), with metadata as it is encoded"),
        order: "new messages as published, for one member",
        costs: MessagingCosts {
            receive: "1 for the first message, and 1 for up to 64 that follow it",
            wait: "1 for each topic in 5 seconds",
            reply: "0: sent and not acknowledged",
            ..MessagingCosts::all("1")
        },
    }),
};
