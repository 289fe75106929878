//! What HTTP/1.1 asks of a server (RFC 9110 and 9112), byte by byte. `docs/http.md` names these tests.

use slight_e2e::{Running, run, within};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Sends this, and reads until the server closes the connection.
async fn exchange(app: &Running, sent: &str) -> String {
    let mut stream = TcpStream::connect(app.address()).await.unwrap();
    // It may be refused before all of it is sent.
    let _ = stream.write_all(sent.as_bytes()).await;
    read_to_end(&mut stream, sent).await
}

async fn read_to_end(stream: &mut TcpStream, sent: &str) -> String {
    let mut received = Vec::new();
    let begin: String = sent.chars().take(60).collect();
    within(&format!("the end of the connection after {begin:?}"), stream.read_to_end(&mut received)).await.unwrap();
    String::from_utf8_lossy(&received).into_owned()
}

/// The statuses of the responses in it.
fn statuses(received: &str) -> Vec<&str> {
    let responses = received.match_indices("HTTP/1.1 ");
    responses.filter_map(|(at, version)| received.get(at + version.len()..at + version.len() + 3)).collect()
}

/// Sends each, and compares the statuses; the connection must end by itself.
async fn expect(app: &Running, cases: &[(&str, &[&str])]) {
    for (sent, expected) in cases {
        let received = exchange(app, sent).await;
        assert_eq!(statuses(&received), *expected, "{sent:?}: {received:?}");
    }
}

/// Beyond this the connection ends.
const LAST: &str = "GET /ok HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";

#[tokio::test]
async fn what_could_be_read_in_two_ways_is_refused() {
    let app = run("misbehave").start().await;
    expect(
        &app,
        &[
            // Lines (RFC 9112, section 2.2).
            ("GET /ok HTTP/1.1\nhost: a\n\n", &["400"]),
            ("GET /ok HTTP/1.1\r\nhost: a\nx: b\r\n\r\n", &["400"]),
            ("GET /ok HTTP/1.1\r\nhost: a\r\n\n", &["400"]),
            ("GET /ok HTTP/1.1\r\nhost: a\rb\r\n\r\n", &["400"]),
            ("GET /ok HTTP/1.1\r\nhost: a\r\nx: a\0b\r\n\r\n", &["400"]),
            // Fields (sections 5.1 and 5.2).
            ("GET /ok HTTP/1.1\r\nhost : a\r\n\r\n", &["400"]),
            ("GET /ok HTTP/1.1\r\nhost: a\r\nx: 1\r\n folded\r\n\r\n", &["400"]),
            ("GET /ok HTTP/1.1\r\n x: 1\r\nhost: a\r\n\r\n", &["400"]),
            ("GET /ok HTTP/1.1\r\nhost: a\r\nx y: 1\r\n\r\n", &["400"]),
            // Lengths (sections 6.1 to 6.3).
            ("POST /ok HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", &["400"]),
            ("POST /ok HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n", &["400"]),
            ("POST /ok HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd", &["400"]),
            ("POST /ok HTTP/1.1\r\nhost: a\r\ncontent-length: 3, 3\r\n\r\nabc", &["400"]),
            ("POST /ok HTTP/1.1\r\nhost: a\r\ncontent-length: +3\r\n\r\nabc", &["400"]),
            ("POST /ok HTTP/1.1\r\nhost: a\r\ncontent-length: 0x3\r\n\r\nabc", &["400"]),
            ("POST /ok HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n", &["400"]),
            ("POST /ok HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", &["400"]),
            ("POST /ok HTTP/1.1\r\nhost: a\r\nconnection: close\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", &["400"]),
            ("POST /ok HTTP/1.1\r\nhost: a\r\nconnection: close\r\ntransfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n", &["400"]),
            ("POST /ok HTTP/1.1\r\nhost: a\r\nconnection: close\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n", &["501"]),
            // After a request that is in order.
            ("GET /ok HTTP/1.1\r\nhost: a\r\n\r\nGET /ok HTTP/1.1\nhost: a\r\n\r\n", &["200", "400"]),
            ("POST /digest HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\na\nbGET /ok HTTP/1.1\r\nhost: a\n\r\n", &["200", "400"]),
            ("POST /digest HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\nGET /ok\n", &["200", "400"]),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_body_whose_chunks_are_malformed_is_none() {
    let app = run("misbehave").start().await;
    for chunks in
        ["3\nabc\r\n0\r\n\r\n", "3\r\nabcd\r\n0\r\n\r\n", "x\r\n\r\n", "3\r\nabc\n0\r\n\r\n", "fffffffffffffffff\r\n"]
    {
        let sent = format!("POST /digest HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n{chunks}{LAST}");
        let received = exchange(&app, &sent).await;
        // Whatever the guest makes of it, what follows is not read as a request.
        assert!(statuses(&received).len() <= 1 && !received.contains("HTTP/1.1 200"), "{chunks:?}: {received:?}");
    }
}

#[tokio::test]
async fn a_request_is_for_one_host_and_its_target_fits() {
    let app = run("misbehave").start().await;
    expect(
        &app,
        &[
            // RFC 9112, sections 3.2 to 3.2.4.
            ("GET /ok HTTP/1.1\r\nconnection: close\r\n\r\n", &["400"]),
            ("GET /ok HTTP/1.1\r\nhost:\r\nconnection: close\r\n\r\n", &["400"]),
            ("GET /ok HTTP/1.1\r\nhost: a\r\nhost: a\r\nconnection: close\r\n\r\n", &["400"]),
            ("GET /ok HTTP/1.1\r\nhost: user:pass@a.example\r\nconnection: close\r\n\r\n", &["400"]),
            ("GET /ok HTTP/1.1\r\nhost: a:x\r\nconnection: close\r\n\r\n", &["400"]),
            ("GET http://b/ok HTTP/1.1\r\nconnection: close\r\n\r\n", &["400"]),
            ("GET http://u@b/ok HTTP/1.1\r\nhost: b\r\nconnection: close\r\n\r\n", &["400"]),
            ("GET * HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n", &["400"]),
            ("GET a:80 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n", &["400"]),
            ("GET ok HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n", &["400"]),
            ("CONNECT a:80 HTTP/1.1\r\nhost: a:80\r\nconnection: close\r\n\r\n", &["501"]),
            // To the guest like any other.
            ("OPTIONS * HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n", &["404"]),
            ("TRACE /ok HTTP/1.1\r\nhost: a\r\nmax-forwards: 0\r\nconnection: close\r\n\r\n", &["200"]),
            ("BREW /ok HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n", &["200"]),
            ("GET /ok HTTP/1.0\r\n\r\n", &[]),
        ],
    )
    .await;
    // What the target says holds (section 3.2.2); that of HTTP/1.0 is for whoever it reached.
    let seen = |received: &str| serde_json::from_str::<serde_json::Value>(received.lines().last().unwrap()).unwrap();
    let received = exchange(&app, "GET http://b:81/request HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    assert!(received.contains(r#""authority":"b:81""#) && received.contains(r#""scheme":"http""#), "{received}");
    let received = exchange(&app, "GET /request HTTP/1.0\r\n\r\n").await;
    assert_eq!(seen(&received)["authority"], "localhost");
}

#[tokio::test]
async fn versions_before_1_1_are_understood() {
    let app = run("misbehave").start().await;
    let received = exchange(&app, "GET /ok HTTP/1.0\r\n\r\n").await;
    assert!(received.starts_with("HTTP/1.0 200 ") && received.ends_with("ok"), "{received}");
    // RFC 9112, section 9.3: kept where both sides say so; without chunks, which that version does not know.
    let sent = "GET /ok HTTP/1.0\r\nconnection: keep-alive\r\n\r\nGET /ok HTTP/1.0\r\n\r\n";
    let received = exchange(&app, sent).await;
    assert!(!received.contains("chunked"), "{received}");
    for sent in [
        "GET /ok\r\n\r\n",
        "GET /ok HTTP/3.0\r\nhost: a\r\n\r\n",
        "GET  /ok HTTP/1.1\r\nhost: a\r\n\r\n",
        "G(T /ok HTTP/1.1\r\n\r\n",
    ] {
        assert_eq!(statuses(&exchange(&app, sent).await), ["400"], "{sent:?}");
    }
    // Section 2.2: an empty line before a request is passed over.
    assert_eq!(statuses(&exchange(&app, &format!("\r\n{LAST}")).await), ["200"]);
}

#[tokio::test]
async fn what_is_too_long_is_refused_with_its_own_status() {
    let app = run("misbehave").start().await;
    let long = "a".repeat(70_000);
    let target = exchange(&app, &format!("GET /{long} HTTP/1.1\r\nhost: a\r\n\r\n")).await;
    assert_eq!(statuses(&target), ["414"]);
    let many = "x: 1\r\n".repeat(200);
    assert_eq!(statuses(&exchange(&app, &format!("GET /ok HTTP/1.1\r\nhost: a\r\n{many}\r\n")).await), ["431"]);
    let large = exchange(&app, &format!("GET /ok HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "a".repeat(1 << 20))).await;
    assert_eq!(statuses(&large), ["431"]);
}

#[tokio::test]
async fn expectations_are_met_or_refused() {
    let app = run("misbehave").start().await;
    let mut stream = TcpStream::connect(app.address()).await.unwrap();
    let head =
        "POST /digest HTTP/1.1\r\nhost: a\r\nconnection: close\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    // The body is sent only once it is asked for.
    let mut asked = [0; 25];
    within("100", stream.read_exact(&mut asked)).await.unwrap();
    assert_eq!(&asked, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"abc").await.unwrap();
    assert_eq!(statuses(&read_to_end(&mut stream, head).await), ["200"]);
    expect(
        &app,
        &[
            ("GET /ok HTTP/1.1\r\nhost: a\r\nconnection: close\r\nexpect: magic\r\n\r\n", &["417"]),
            ("GET /ok HTTP/1.1\r\nhost: a\r\nconnection: close\r\nexpect: 100-continue\r\n\r\n", &["200"]),
        ],
    )
    .await;
}

#[tokio::test]
async fn fields_of_the_connection_do_not_reach_the_guest() {
    let app = run("misbehave").start().await;
    let fields = "connection: close, X-Sec, te\r\nconnection: x-other\r\nx-sec: 1\r\nx-other: 1\r\nte: trailers\r\n\
                  keep-alive: timeout=1\r\nproxy-connection: keep-alive\r\nupgrade: websocket\r\nx-stays: 1\r\n";
    let received = exchange(&app, &format!("GET /request HTTP/1.1\r\nhost: a\r\n{fields}\r\n")).await;
    assert_eq!(statuses(&received), ["200"]);
    let body = received.split("\r\n\r\n").nth(1).unwrap();
    assert!(body.contains("x-stays"), "{body}");
    for name in ["connection", "x-sec", "x-other", "\"te\"", "keep-alive", "upgrade", "host"] {
        assert!(!body.contains(name), "{name}: {body}");
    }
}

#[tokio::test]
async fn a_client_that_sends_no_more_after_its_request_has_a_response() {
    let app = run("misbehave").start().await;
    for _ in 0..20 {
        let mut stream = TcpStream::connect(app.address()).await.unwrap();
        stream.write_all(b"GET /sleep?ms=20 HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        stream.shutdown().await.unwrap();
        let received = read_to_end(&mut stream, "a request and no more").await;
        assert!(received.starts_with("HTTP/1.1 200 ") && received.contains("ok"), "{received:?}");
    }
}

#[tokio::test]
async fn responses_without_a_body_have_none() {
    let app = run("misbehave").start().await;
    for (request, has_length) in [("GET /status/204", false), ("GET /status/304", true), ("HEAD /ok", true)] {
        let received = exchange(&app, &format!("{request} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")).await;
        assert!(received.ends_with("\r\n\r\n"), "{request}: {received:?}");
        assert!(has_length || !received.contains("content-length"), "{request}: {received:?}");
        assert!(received.contains("\r\ndate: "), "{request}: {received:?}");
    }
    let received = exchange(&app, "GET /status/205 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    assert!(!received.contains("as asked"), "{received:?}");
}
