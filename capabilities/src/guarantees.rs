use std::fmt;

/// What a kind of provider gives where the contracts leave a choice: for people who choose one.
///
/// It stands beside the code that keeps it, and `docs/providers/README.md` is made from it. The texts are cells of a
/// table there: Markdown on one line, without a full stop.
#[derive(Debug, Clone, Copy)]
pub struct Guarantees {
    /// When a read sees what others wrote.
    pub consistency: &'static str,
    /// What an acknowledged write survives.
    pub durability: &'static str,
    /// Which processes may use the same data at a time.
    pub sharing: &'static str,
    /// Of key-value, where the kind offers it.
    pub key_value: Option<KeyValueGuarantees>,
    /// Of blob storage, where the kind offers it.
    pub blob: Option<BlobGuarantees>,
    /// Of messaging, where the kind offers it.
    pub messaging: Option<MessagingGuarantees>,
}

/// How large something may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Largest {
    /// So many bytes; beyond it the call is refused with `TooLarge`.
    Bytes(u64),
    /// The provider sets no limit; says what does.
    Of(&'static str),
}

impl fmt::Display for Largest {
    /// In the largest unit that divides it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = match self {
            Self::Bytes(bytes) => *bytes,
            Self::Of(what) => return f.write_str(what),
        };
        let units = [(1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
        match units.into_iter().find(|(unit, _)| bytes.is_multiple_of(*unit)) {
            Some((unit, name)) => write!(f, "{} {name}", bytes / unit),
            None => write!(f, "{bytes} bytes"),
        }
    }
}

/// How many round trips to the backend a call takes, as `1` or `1 for each 1,000 keys`. `0` where the data is in this
/// process or on its disk; then what else it costs, as in `0, 1 sync`.
pub type RoundTrips = &'static str;

/// What is promised of buckets.
#[derive(Debug, Clone, Copy)]
pub struct KeyValueGuarantees {
    /// The largest value.
    pub largest_value: Largest,
    /// In which order keys are listed.
    pub order: &'static str,
    /// What the calls cost.
    pub costs: KeyValueCosts,
}

/// What the calls of [`KeyValue`](crate::KeyValue) and [`Bucket`](crate::Bucket) cost.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "the names of the calls")]
pub struct KeyValueCosts {
    pub open: RoundTrips,
    pub get: RoundTrips,
    pub exists: RoundTrips,
    pub set: RoundTrips,
    pub delete: RoundTrips,
    pub swap: RoundTrips,
    pub increment: RoundTrips,
    /// A page.
    pub keys: RoundTrips,
    pub get_many: RoundTrips,
    pub set_many: RoundTrips,
    pub delete_many: RoundTrips,
}

/// What is promised of containers.
#[derive(Debug, Clone, Copy)]
pub struct BlobGuarantees {
    /// The largest object.
    pub largest_object: Largest,
    /// In which order objects are listed.
    pub order: &'static str,
    /// What the calls cost.
    pub costs: BlobCosts,
}

/// What the calls of [`BlobStore`](crate::BlobStore) and [`Container`](crate::Container) cost.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "the names of the calls")]
pub struct BlobCosts {
    pub create_container: RoundTrips,
    pub get_container: RoundTrips,
    pub delete_container: RoundTrips,
    pub read: RoundTrips,
    pub write: RoundTrips,
    pub stat: RoundTrips,
    /// A page.
    pub list: RoundTrips,
    pub delete: RoundTrips,
    pub copy: RoundTrips,
}

/// What is promised of topics.
#[derive(Debug, Clone, Copy)]
pub struct MessagingGuarantees {
    /// The largest message, with its metadata.
    pub largest_message: Largest,
    /// In which order messages come.
    pub order: &'static str,
    /// What the calls cost.
    pub costs: MessagingCosts,
}

/// What the calls of [`Messaging`](crate::Messaging) and [`Delivery`](crate::Delivery) cost.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "the names of the calls")]
pub struct MessagingCosts {
    pub publish: RoundTrips,
    /// To get a message that is there.
    pub receive: RoundTrips,
    /// To wait for one that is not.
    pub wait: RoundTrips,
    pub extend: RoundTrips,
    /// To acknowledge or to retry.
    pub settle: RoundTrips,
    pub reply: RoundTrips,
}

impl KeyValueCosts {
    /// The same for every call: what to start from with `..`.
    pub const fn all(cost: RoundTrips) -> Self {
        Self {
            open: cost,
            get: cost,
            exists: cost,
            set: cost,
            delete: cost,
            swap: cost,
            increment: cost,
            keys: cost,
            get_many: cost,
            set_many: cost,
            delete_many: cost,
        }
    }

    /// With this for every call that writes.
    #[must_use]
    pub const fn with_writes(self, cost: RoundTrips) -> Self {
        Self { set: cost, delete: cost, swap: cost, increment: cost, set_many: cost, delete_many: cost, ..self }
    }
}

impl BlobCosts {
    /// The same for every call: what to start from with `..`.
    pub const fn all(cost: RoundTrips) -> Self {
        Self {
            create_container: cost,
            get_container: cost,
            delete_container: cost,
            read: cost,
            write: cost,
            stat: cost,
            list: cost,
            delete: cost,
            copy: cost,
        }
    }

    /// With this for every call that writes.
    #[must_use]
    pub const fn with_writes(self, cost: RoundTrips) -> Self {
        Self { create_container: cost, delete_container: cost, write: cost, delete: cost, copy: cost, ..self }
    }
}

impl MessagingCosts {
    /// The same for every call: what to start from with `..`.
    pub const fn all(cost: RoundTrips) -> Self {
        Self { publish: cost, receive: cost, wait: cost, extend: cost, settle: cost, reply: cost }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_shown_in_the_largest_unit_that_divides_it() {
        assert_eq!(Largest::Bytes(512 << 20).to_string(), "512 MiB");
        assert_eq!(Largest::Bytes(1 << 30).to_string(), "1 GiB");
        assert_eq!(Largest::Bytes(1000).to_string(), "1000 bytes");
        assert_eq!(Largest::Of("the memory").to_string(), "the memory");
    }
}
