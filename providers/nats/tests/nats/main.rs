//! What the nats provider does where the contracts leave it open, and when something fails.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unreachable,
    clippy::unwrap_used,
    reason = "the helpers are part of the tests"
)]

mod blobs;
mod cluster;
mod connecting;
mod credentials;
mod encryption;
mod entries;
mod foreign;
mod listing;
mod locations;
mod lost_answers;
mod messages;
mod network;
mod operators;
mod raw;
mod settings;
mod silence;
mod support;
mod sweep;
