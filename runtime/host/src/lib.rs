//! Runs WebAssembly components and gives them cloud capabilities through the standard WASI interfaces.
//!
//! The only crate that knows wasmtime. It names no provider: what a guest's names lead to is handed in as
//! [`Services`].

mod bindings;
mod blob;
mod config;
mod guard;
mod key_value;
mod limits;
mod logging;
mod messaging;
mod outbound;
mod services;
mod state;

pub use limits::Limits;
pub use outbound::{AllowList, AllowedOrigin};
pub use services::{Backend, Services};
pub use state::{Environment, MountedDirectory};
