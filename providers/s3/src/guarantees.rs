use slight_capabilities::{BlobCosts, BlobGuarantees, Guarantees, KeyValueCosts, KeyValueGuarantees, Largest};

use crate::entry::MAX_VALUE_BYTES;

/// The requests are counted by a test.
pub(crate) const GUARANTEES: Guarantees = Guarantees {
    consistency: "a read sees every write that returned before, from whatever process, and one version to its end",
    durability: "what the server promises: on Amazon's S3 the loss of machines and of a data centre",
    sharing: "any number, on any machines",
    key_value: Some(KeyValueGuarantees {
        largest_value: Largest::Bytes(MAX_VALUE_BYTES),
        order: "the server's, by key",
        costs: KeyValueCosts {
            open: "0",
            increment: "2, and 2 for each conflict",
            keys: "1 for each 1,000 keys",
            get_many: "1 for each key, 16 at a time",
            set_many: "1 for each key, 16 at a time",
            delete_many: "1 for each 1,000 keys",
            ..KeyValueCosts::all("1")
        },
    }),
    blob: Some(BlobGuarantees {
        largest_object: Largest::Of("10,000 parts: 78 GiB, more with a larger `part-size`"),
        order: "the server's, by key",
        costs: BlobCosts {
            delete_container: "1, and 2 for each 1,000 objects",
            write: "1 up to 8 MiB, else 2 and 1 for each 8 MiB",
            list: "1 for each 1,000 objects",
            delete: "1 for each 1,000 objects",
            copy: "3 or 4 up to 64 MiB, then 1 more for each 64 MiB",
            ..BlobCosts::all("1")
        },
    }),
    messaging: None,
};
