//! What the redis provider does where the contracts leave it open, and when something fails.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unreachable,
    clippy::unwrap_used,
    reason = "the helpers are part of the tests"
)]

mod cluster;
mod connecting;
mod costs;
mod encryption;
mod foreign;
mod inboxes;
mod listing;
mod lost_answers;
mod lost_groups;
mod messages;
mod settings;
mod support;
