//! The contracts between the slight runtime and its providers: all that the author of a provider sees.
//!
//! A provider implements one or more of [`KeyValue`], [`BlobStore`] and [`Messaging`] and describes itself with a
//! [`ProviderKind`]. What each call must do is written once, as `# Behavior` bullets on the traits; every bullet is a
//! case of the conformance suite with the same name, and every provider passes all of them.
//!
//! This crate knows no WebAssembly, no TOML and no backend.

mod blob;
mod connect;
mod counter;
mod error;
mod guarantees;
mod inboxes;
mod key_value;
mod messaging;
mod names;
mod page;
mod provider;
mod routes;
mod secret;
pub mod units;

pub use blob::{Blob, BlobStore, ByteRange, ByteStream, Container, ContainerInfo, ObjectId, ObjectInfo};
pub use connect::Connect;
pub use counter::{add_to_counter, parse_counter};
pub use error::{Error, ErrorKind, Result};
pub use guarantees::{
    BlobCosts, BlobGuarantees, Guarantees, KeyValueCosts, KeyValueGuarantees, Largest, MessagingCosts,
    MessagingGuarantees, RoundTrips,
};
pub use inboxes::LocalInboxes;
pub use key_value::{Bucket, Entry, KeyValue, Version};
pub use messaging::{
    Deliveries, Delivery, Inbox, MAX_RETRY, Message, Messaging, Outcome, Replies, Reply, ReplyTo, Subscription,
    retry_wait,
};
pub use names::{
    MAX_KEY_BYTES, MAX_NAME_BYTES, QualifiedName, check_key, check_name, check_prefix, decode_name, encode_name,
};
pub use page::{Cursor, Page};
pub use provider::{Capability, Connected, Provider, ProviderKind, Readiness, settings_schema};
pub use routes::{Access, Route, Routes, canonical};
pub use secret::Secret;

/// The most names on a page of a listing: the runtime holds one page in memory at a time. Most providers give 1,000.
pub const MAX_PAGE: usize = 10_000;

/// The largest value that every key-value provider takes on a server with default settings, in bytes (512 KiB).
pub const GUARANTEED_VALUE_BYTES: usize = 512 * 1024;

/// The largest message (body and metadata) that every messaging provider takes on a server with default settings, in
/// bytes (256 KiB).
pub const GUARANTEED_MESSAGE_BYTES: usize = 256 * 1024;
