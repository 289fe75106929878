use slight_capabilities::{Guarantees, KeyValueCosts, KeyValueGuarantees, Largest};

pub(crate) const GUARANTEES: Guarantees = Guarantees {
    consistency: "a read sees every write that returned before, and may see one that has not yet",
    durability: "death of the process; power failure, but for values above 512 KiB",
    sharing: "one process",
    key_value: Some(KeyValueGuarantees {
        largest_value: Largest::Of("what fits in memory"),
        order: "by the bytes of the key",
        costs: KeyValueCosts::all("0").with_writes("0, synced"),
    }),
    blob: None,
    messaging: None,
};
