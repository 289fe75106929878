//! Runs WebAssembly components and gives them cloud capabilities through the standard WASI interfaces.
//!
//! The only crate that knows wasmtime. It names no provider: what a guest's names lead to is handed in as
//! [`Services`].

mod app;
mod bindings;
mod blob;
mod budget;
mod code_cache;
mod compile;
mod config;
mod console;
mod deadlines;
mod denials;
mod engine;
mod epochs;
mod failure;
mod guard;
mod held;
mod hop_by_hop;
mod host;
mod instances;
mod interfaces;
mod key_value;
mod limits;
mod linker;
mod load_error;
mod logging;
mod messaging;
mod outbound;
mod repeats;
mod resident;
mod services;
mod slices;
mod state;
mod trigger;
mod triggers;
mod wasi;

pub use app::{App, Import};
pub use code_cache::CodeCache;
pub use host::{Host, HostError, HttpSettings, Settings, Stop, Watch};
pub use interfaces::{SERVED, ServedPackage, Service};
pub use limits::Limits;
pub use load_error::{CoreModule, LoadError};
pub use outbound::OutboundPolicy;
pub use resident::Resident;
pub use services::{Backend, Services};
pub use state::{Environment, MountedDirectory};
pub use trigger::Trigger;
pub use triggers::{
    http::{Listen, Reuse, socket},
    messages::Subscription,
};
