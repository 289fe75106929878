//! The TOML file of slight: read, checked, resolved.
//!
//! [`Config::load`] goes through the file in this order, and reports *all* that it finds, in the order of the file:
//!
//! 1. TOML with the position of every key and value. Only a syntax error ends the reading.
//! 2. `${env:NAME}` and `${file:PATH}` in string values are replaced, once. The text of the file is kept beside what was
//!    inserted, and messages and `Debug` know only the former.
//! 3. The values are held against one JSON schema, which the settings types and their doc comments produce. Editors
//!    ([`schema()`]) and the documentation ([`settings_table`]) get the same schema.
//!    What the schema calls a path (`"format": "path"`) starts at the file's directory if it is relative.
//! 4. What no schema can say: routes lead to declared sections of a fitting type, subscriptions have a route, names have
//!    a legal length, directories exist.
//!
//! This crate opens no connection and knows no WebAssembly. Which providers there are, its caller says.

#![cfg_attr(test, allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used))]

mod check;
mod component;
mod config;
mod document;
mod files;
mod findings;
mod format;
mod limits;
mod mistakes;
mod nearest;
mod outbound;
mod place;
mod providers;
mod references;
mod route_checks;
mod routes;
mod schema;
mod shape;
mod source;
mod subscriptions;
mod table;
mod values;

pub use component::{Component, Trigger};
pub use config::{Config, Http, Reuse};
pub use files::Directory;
pub use format::listen_address;
pub use limits::{Limits, TotalMemory};
pub use mistakes::{Mistake, Mistakes, Position};
pub use outbound::{Origin, Outbound};
pub use providers::ProviderSection;
pub use routes::DeclaredGroup;
pub use schema::schema;
pub use source::Source;
pub use subscriptions::Subscription;
pub use table::settings_table;

#[cfg(test)]
mod tests;
