use slight_capabilities::{
    BlobCosts, BlobGuarantees, Guarantees, KeyValueCosts, KeyValueGuarantees, Largest, MessagingCosts,
    MessagingGuarantees,
};

const LARGEST: Largest = Largest::Of("what fits in memory");

pub(crate) const GUARANTEES: Guarantees = Guarantees {
    consistency: "a read sees every write that returned before",
    durability: "nothing: it is gone with the process",
    sharing: "one process",
    key_value: Some(KeyValueGuarantees { largest_value: LARGEST, order: "none", costs: KeyValueCosts::all("0") }),
    blob: Some(BlobGuarantees { largest_object: LARGEST, order: "none", costs: BlobCosts::all("0") }),
    messaging: Some(MessagingGuarantees {
        largest_message: LARGEST,
        order: "as published; retried ones go to the end of the line",
        costs: MessagingCosts::all("0"),
    }),
};
