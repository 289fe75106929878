//! HTTP/2, frame by frame (RFC 9113). `docs/http.md` names these tests.

use std::time::Duration;

use http::Method;
use slight_e2e::{Connection, DEADLINE, Running, empty, run, within};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, timeout},
};

/// The types of frames and their flags (section 6).
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// `GET http://a/` with indexed fields and one literal (RFC 7541).
const GET: &[u8] = b"\x82\x86\x84\x41\x01a";

struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

struct Raw(TcpStream);

impl Raw {
    /// A connection that is set up.
    async fn open(app: &Running) -> Self {
        let mut raw = Self(TcpStream::connect(app.address()).await.unwrap());
        raw.0.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
        raw.send(SETTINGS, 0, 0, b"").await.unwrap();
        raw
    }

    async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> std::io::Result<()> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
        self.0.write_all(&[&head, payload].concat()).await
    }

    /// The next frame; none at the end of the connection.
    async fn next(&mut self) -> Option<Frame> {
        within("a frame", async {
            let mut head = [0; 9];
            self.0.read_exact(&mut head).await.ok()?;
            let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
            self.0.read_exact(&mut payload).await.ok()?;
            let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
            Some(Frame { kind: head[3], flags: head[4], stream, payload })
        })
        .await
    }

    /// The next frame of this type; none if the connection ends before.
    async fn next_of(&mut self, kind: u8) -> Option<Frame> {
        loop {
            let frame = self.next().await?;
            if frame.kind == kind {
                return Some(frame);
            }
        }
    }

    /// A request whose response is whole.
    async fn get(&mut self, stream: u32) {
        self.send(HEADERS, END_STREAM | END_HEADERS, stream, GET).await.unwrap();
        loop {
            let frame = self.next().await.unwrap();
            if frame.stream == stream && frame.flags & END_STREAM != 0 {
                return;
            }
        }
    }
}

fn number(bytes: &[u8]) -> u32 {
    u32::from_be_bytes(bytes[..4].try_into().unwrap())
}

#[tokio::test]
async fn clients_are_told_to_leave_in_two_steps() {
    let app = run("hello-http").toml("http = { shutdown-delay = \"60s\" }").start().await;
    let mut raw = Raw::open(&app).await;
    raw.get(1).await;
    app.signal("TERM");
    // Section 6.8: first whatever was begun until now counts, then only what has come.
    let warned = raw.next_of(GOAWAY).await.unwrap();
    assert_eq!((number(&warned.payload), number(&warned.payload[4..])), (0x7fff_ffff, 0));
    let ping = raw.next_of(PING).await.unwrap();
    raw.send(HEADERS, END_STREAM | END_HEADERS, 3, GET).await.unwrap();
    raw.send(PING, ACK, 0, &ping.payload).await.unwrap();
    // A request that was under way is answered.
    let (mut told, mut answer) = (None, Vec::new());
    while let Some(frame) = raw.next().await {
        match frame.kind {
            GOAWAY => told = Some(number(&frame.payload)),
            DATA if frame.stream == 3 => answer.extend(frame.payload),
            _ => {}
        }
    }
    assert_eq!((told, answer), (Some(3), b"hello".to_vec()));
    // Others still come, and are served.
    assert_eq!(app.get("/").await.text(), "hello");
    let mut later = Raw::open(&app).await;
    later.send(HEADERS, END_STREAM | END_HEADERS, 1, GET).await.unwrap();
    assert!(later.next_of(GOAWAY).await.is_some());
    assert!(later.next_of(DATA).await.is_some());
    app.signal("INT");
    assert_eq!(app.end().await.code, Some(130));
}

#[tokio::test]
async fn frames_that_are_no_request_keep_no_connection() {
    let app = run("hello-http").toml("http = { idle-timeout = \"1s\" }").start().await;
    let mut raw = Raw::open(&app).await;
    let begin = Instant::now();
    // A ping a byte at a time, for as long as somebody listens.
    let ping = [0, 0, 8, PING, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
    for byte in ping.into_iter().cycle() {
        assert!(begin.elapsed() < DEADLINE, "the connection is kept");
        let sent = raw.0.write_all(&[byte]).await;
        let mut answers = [0; 64];
        match timeout(Duration::from_millis(50), raw.0.read(&mut answers)).await {
            Ok(Ok(0) | Err(_)) => break,
            _ if sent.is_err() => break,
            _ => {}
        }
    }
}

#[tokio::test]
async fn a_request_that_takes_longer_than_a_connection_may_be_idle_is_answered() {
    let app = run("misbehave").toml("http = { idle-timeout = \"200ms\" }").start().await;
    let mut connection = app.connect().await;
    assert_eq!(connection.fetch(Method::GET, "/sleep?ms=1000", empty()).await.text(), "ok");
    let mut connection = Connection::http2(app.address()).await;
    assert_eq!(connection.fetch(Method::GET, "/sleep?ms=1000", empty()).await.text(), "ok");
}

#[tokio::test]
async fn a_host_that_differs_from_the_authority_is_refused() {
    let app = run("misbehave").start().await;
    let mut connection = Connection::http2(app.address()).await;
    let other = [("host", "other.example")];
    connection.fetch_with(Method::GET, "/ok", &other, empty()).await.refused(400);
    let same = app.address().to_string();
    assert_eq!(connection.fetch_with(Method::GET, "/ok", &[("host", &same)], empty()).await.text(), "ok");
}

#[tokio::test]
async fn malformed_requests_end_their_stream_alone() {
    let app = run("hello-http").start().await;
    // Each a literal field after those of GET, but for the first, which lacks :path (sections 8.2 and 8.3).
    for fields in [
        b"\x82\x86\x41\x01a".to_vec(),
        [GET, b"\x00\x0aconnection\x05close"].concat(),
        [GET, b"\x00\x11transfer-encoding\x07chunked"].concat(),
        [GET, b"\x00\x02te\x04gzip"].concat(),
        [GET, b"\x00\x05X-Big\x011"].concat(),
        [GET, b"\x82"].concat(),
    ] {
        let mut raw = Raw::open(&app).await;
        raw.send(HEADERS, END_STREAM | END_HEADERS, 1, &fields).await.unwrap();
        // Of the whole connection where the stream alone does not do, as for names in capitals.
        let refused = loop {
            match raw.next().await {
                Some(frame) if frame.kind == RST_STREAM || frame.kind == GOAWAY => break true,
                Some(frame) if frame.kind == HEADERS => break false,
                Some(_) => {}
                None => break true,
            }
        };
        assert!(refused, "{fields:?}");
    }
    assert_eq!(app.get("/").await.text(), "hello");
}

#[tokio::test]
async fn floods_hurt_nobody_else() {
    let app = run("misbehave").start().await;
    let mut raw = Raw::open(&app).await;
    // Streams that are reset as soon as they are begun; the connection may be ended for it.
    for stream in (1..4000).step_by(2) {
        let begun = raw.send(HEADERS, END_STREAM | END_HEADERS, stream, GET).await;
        if begun.is_err() || raw.send(RST_STREAM, 0, stream, &8u32.to_be_bytes()).await.is_err() {
            break;
        }
    }
    assert_eq!(app.get("/ok").await.text(), "ok");
    // A head without an end.
    let mut endless = Raw::open(&app).await;
    endless.send(HEADERS, END_STREAM, 1, GET).await.unwrap();
    let fields = [0x00, 1, b'x', 1, b'1'].repeat(100);
    for _ in 0..1000 {
        let _ = endless.send(CONTINUATION, 0, 1, &fields).await;
    }
    // It is told, or cut off.
    endless.next_of(GOAWAY).await;
    assert_eq!(app.get("/ok").await.text(), "ok");
}
