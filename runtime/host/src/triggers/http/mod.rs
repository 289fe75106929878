//! HTTP requests, served by a fresh instance each unless the configuration says otherwise.

mod access;
mod answer;
mod arrival;
mod body;
mod ended;
mod listener;
mod server;
mod transport;
mod worker;

pub use self::worker::Reuse;
pub(crate) use self::{listener::bind, server::HttpServer};
