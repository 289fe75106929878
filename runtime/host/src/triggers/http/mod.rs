//! HTTP requests, served by a fresh instance each unless the configuration says otherwise.

mod answer;
mod body;
mod server;
mod worker;

pub(crate) use self::server::{HttpServer, bind};
pub use self::worker::Reuse;
