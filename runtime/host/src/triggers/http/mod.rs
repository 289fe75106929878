//! HTTP requests, served by a fresh instance each unless the configuration says otherwise.

mod access;
mod activity;
mod answer;
mod arrival;
mod body;
mod ended;
mod framing;
mod head;
mod listener;
mod phases;
mod server;
mod transport;
mod worker;

pub(crate) use self::{listener::Listener, phases::Phases, server::HttpServer};
pub use self::{
    listener::{Listen, socket},
    worker::Reuse,
};
