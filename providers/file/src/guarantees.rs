use slight_capabilities::{BlobCosts, BlobGuarantees, Guarantees, Largest};

pub(crate) const GUARANTEES: Guarantees = Guarantees {
    consistency: "a read sees every write that returned before, and one version to its end",
    durability: "death of the process and power failure: each write is synced",
    sharing: "all processes of the machine",
    key_value: None,
    blob: Some(BlobGuarantees {
        largest_object: Largest::Of("what the file system takes"),
        order: "by path",
        costs: BlobCosts::all("0").with_writes("0, synced"),
    }),
    messaging: None,
};
