//! Runs WebAssembly components and gives them key-value, blob storage, messaging, configuration and HTTP through the
//! standard WASI interfaces. The backend behind each is chosen by a TOML file.
//!
//! This is the program `slight` as a library. A host with a provider of its own, and all the rest – the TOML, the
//! commands, the log – is this:
//!
//! ```no_run
//! # use slight_provider_memory as mydb;
//! fn main() -> std::process::ExitCode {
//!     slight::Cli::new(slight::builtin().with(mydb::kind())).main()
//! }
//! ```
//!
//! [`App`] is for those who go without the command line. Each provider that comes with slight is a feature of this crate
//! (`azure`, `file`, `nats`, `redb`, `redis`, `s3`, `sled`; all by default): with `default-features = false` there is
//! `memory` alone, and no SDK is built.

mod announcement;
mod app;
mod args;
mod check;
mod cli;
mod databases;
mod error;
mod imports;
mod inherited;
mod kinds;
mod logs;
mod memory;
mod open_files;
mod output;
mod providers;
mod run;
mod settings;
mod signals;
mod subscriptions;
mod table;

/// The contracts, for those who write a provider.
pub use slight_capabilities as capabilities;
pub use slight_config::{Config, Mistakes};
pub use slight_runtime::{CodeCache, Trigger};

pub use self::{
    app::{App, Component, Health, Running},
    cli::Cli,
    error::{Error, Result},
    kinds::{Kinds, builtin},
};
