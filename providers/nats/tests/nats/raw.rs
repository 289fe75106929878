//! What no client of NATS would send.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

/// Headers and bodies that other programs may leave in a stream.
pub const ODD: [(&[u8], &[u8]); 9] = [
    (b"", b""),
    (b"", b"\xff\xfe"),
    (b"NATS/1.0\r\nOdd: \xff\xfe\r\n\r\n", b"headers that are no UTF-8"),
    (b"NATS/1.0\r\nOdd: a\rb\r\n\r\n", b"a carriage return in a header"),
    (b"NATS/1.0\r\nodd\r\n\r\n", b"a line that is no header"),
    (b"NATS/1.0 100 Idle Heartbeat\r\n\r\n", b"a status"),
    (b"NATS/1.0\r\nSlight-Headers-In-Body: 6\r\n\r\n", b"\xc3\xa9: 1\r\n"),
    (b"NATS/1.0\r\nSlight-Metadata: %zz&&==&\r\nSlight-Reply-To: &\r\nContent-Type: \xc3\xa9\r\n\r\n", b"odd headers"),
    (b"NATS/1.0\r\nKV-Operation: DEL\r\n\r\n", b"{\"name\":1}"),
];

pub struct Raw {
    port: u16,
}

impl Raw {
    pub fn to(port: u16) -> Self {
        Self { port }
    }

    /// Publishes, and returns when the server has it.
    pub fn publish(&self, subject: &str, headers: &[u8], body: &[u8]) {
        let mut server = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let mut sent = b"CONNECT {\"verbose\":false,\"headers\":true}\r\n".to_vec();
        let line = match headers {
            [] => format!("PUB {subject} {}\r\n", body.len()),
            _ => format!("HPUB {subject} {} {}\r\n", headers.len(), headers.len() + body.len()),
        };
        for part in [line.as_bytes(), headers, body, b"\r\nPING\r\n"] {
            sent.extend_from_slice(part);
        }
        server.write_all(&sent).unwrap();
        let (mut said, mut piece) = (Vec::new(), [0; 4096]);
        while !String::from_utf8_lossy(&said).contains("PONG") {
            let length = server.read(&mut piece).unwrap();
            assert!(length > 0, "the server has ended the connection: {}", String::from_utf8_lossy(&said));
            said.extend_from_slice(&piece[..length]);
        }
    }
}
