//! Servers start, answer, end and start again, and nothing of them is left behind.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, TcpStream},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use slight_services::{AZURITE, Azurite, DEADLINE, Kind, NATS, REDIS, RedisCluster, Server, VALKEY, present};

/// Sends one line to a Redis server, and gives the first line of its answer.
fn ask(port: u16, line: &str) -> String {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream.write_all(format!("{line}\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).unwrap();
    answer.trim_end().to_owned()
}

fn is_open(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
}

fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !holds() {
        assert!(Instant::now() < end, "{what} did not come about within {DEADLINE:?}");
        thread::sleep(Duration::from_millis(5));
    }
}

fn ends_with_its_value(kind: &'static Kind) {
    let Some(server) = present(Server::start(kind, &[])) else { return };
    let (port, data) = (server.port(), server.data().to_owned());
    assert!(is_open(port) && data.is_dir() && server.url().ends_with(&format!("://127.0.0.1:{port}")));
    drop(server);
    assert!(!is_open(port) && !data.exists());
}

#[test]
fn redis_ends_with_its_value() {
    ends_with_its_value(&REDIS);
}

#[test]
fn valkey_ends_with_its_value() {
    ends_with_its_value(&VALKEY);
}

#[test]
fn nats_ends_with_its_value() {
    ends_with_its_value(&NATS);
}

#[test]
fn azurite_ends_with_its_value() {
    ends_with_its_value(&AZURITE);
}

#[test]
fn azurite_starts_again_with_the_ports_of_its_blobs_and_queues() {
    let Some(mut azurite) = present(Azurite::start(&[])) else { return };
    let (string, ports) = (azurite.connection_string(), [azurite.blob_port(), azurite.queue_port()]);
    assert!(ports.iter().all(|port| is_open(*port) && string.contains(&format!("http://127.0.0.1:{port}/"))));
    azurite.stop();
    assert!(!ports.iter().any(|port| is_open(*port)));
    azurite.restart();
    assert!(ports.iter().all(|port| is_open(*port)));
    assert_eq!(azurite.connection_string(), string);
}

#[test]
fn a_server_ends_when_its_test_panics() {
    let Some(server) = present(Server::start(&REDIS, &[])) else { return };
    let (port, data) = (server.port(), server.data().to_owned());
    let panicked = thread::spawn(move || {
        let _server = server;
        panic!("as a test does that fails");
    });
    assert!(panicked.join().is_err());
    assert!(!is_open(port) && !data.exists());
}

#[test]
fn a_server_ends_when_its_process_is_killed() {
    if present(Server::start(&REDIS, &[])).is_none() {
        return;
    }
    let program = env!("CARGO_BIN_EXE_slight-services");
    let mut process = Command::new(program).arg("redis").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut url = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut url).unwrap();
    let port: u16 = url.trim_end().rsplit(':').next().unwrap().parse().unwrap();
    let data = ask_for_data(port);
    assert!(Path::new(&data).is_dir());
    process.kill().unwrap();
    process.wait().unwrap();
    wait_until("the end of the server", || !is_open(port));
    wait_until("the end of its data", || !Path::new(&data).exists());
}

/// The folder that a Redis server keeps its data in.
fn ask_for_data(port: u16) -> String {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream.write_all(b"CONFIG GET dir\r\nQUIT\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.lines().find(|line| line.starts_with('/')).unwrap().to_owned()
}

#[test]
fn a_killed_server_starts_again_with_its_port_and_data() {
    for kind in [&REDIS, &VALKEY] {
        let durable = ["--appendonly", "yes", "--appendfsync", "always"];
        let Some(mut server) = present(Server::start(kind, &durable)) else { continue };
        let port = server.port();
        assert_eq!(ask(port, "SET key kept"), "+OK");
        server.kill();
        assert!(!is_open(port));
        server.restart();
        assert_eq!(server.port(), port);
        assert_eq!(ask(port, "STRLEN key"), ":4");
        server.stop();
        assert!(!is_open(port));
        server.restart();
        assert_eq!(ask(port, "STRLEN key"), ":4");
    }
}

#[test]
fn a_server_that_cannot_start_says_why() {
    if present(Server::start(&REDIS, &[])).is_none() {
        return;
    }
    let refused = thread::spawn(|| Server::start(&REDIS, &["--no-such-setting", "1"]).map(drop)).join().unwrap_err();
    let message = refused.downcast_ref::<String>().unwrap();
    assert!(message.contains("redis-server did not start") && message.contains("no-such-setting"), "{message}");
}

#[test]
fn a_cluster_shares_the_slots_among_its_nodes() {
    let Some(mut cluster) = present(RedisCluster::start(3)) else { return };
    let ports: Vec<u16> = cluster.nodes().iter().map(Server::port).collect();
    let answers: Vec<String> = ports.iter().map(|port| ask(*port, "SET key value")).collect();
    assert_eq!(answers.iter().filter(|answer| *answer == "+OK").count(), 1, "{answers:?}");
    assert_eq!(answers.iter().filter(|answer| answer.starts_with("-MOVED")).count(), 2, "{answers:?}");
}
