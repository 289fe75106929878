//! What the azure provider does where the contracts leave it open, and when something fails.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unreachable,
    clippy::unwrap_used,
    reason = "the helpers are part of the tests"
)]

mod costs;
mod failing_blobs;
mod failing_entries;
mod failing_messages;
mod foreign;
mod listing;
mod messages;
mod operators;
mod outage;
mod raw;
mod settings;
mod signing_in;
mod support;
