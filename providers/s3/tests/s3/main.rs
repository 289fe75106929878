//! What the s3 provider does where the contracts leave it open, and when something fails.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unreachable,
    clippy::unwrap_used,
    reason = "the helpers are part of the tests"
)]

mod commits;
mod costs;
mod credentials;
mod encryption;
mod faults;
mod listing;
mod locations;
mod operators;
mod reading;
mod settings;
mod support;
mod uploads;
