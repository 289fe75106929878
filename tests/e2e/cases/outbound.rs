//! Requests that the guest sends.

use std::{
    fs,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use slight_e2e::{Running, eventually, run};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
};
use tokio_rustls::TlsAcceptor;

async fn ask(app: &Running, url: &str) -> slight_e2e::Answer {
    app.get(&format!("/outbound?url={url}")).await
}

fn allowing(origins: &[String]) -> String {
    format!("component = {{ http-outbound = {origins:?} }}")
}

#[tokio::test]
async fn by_default_no_request_leaves() {
    let backend = run("hello-http").start().await;
    for app in [run("misbehave").start().await, run("misbehave").toml("").start().await] {
        let error = ask(&app, &backend.url("/")).await.error();
        assert!(error.contains("HttpRequestDenied"), "{error}");
        let line = app.wait_for_log("was denied").await;
        assert!(line.contains(&backend.url("")) && line.contains("http-outbound"), "{line}");
    }
}

#[tokio::test]
async fn a_request_to_a_listed_origin_is_sent() {
    let backend = run("hello-http").start().await;
    let app = run("misbehave").toml(&allowing(&[backend.url("")])).start().await;
    let answer = ask(&app, &backend.url("/path")).await.json();
    assert_eq!((&answer["status"], &answer["body"]), (&200.into(), &"hello".into()));
}

#[tokio::test]
async fn a_request_to_any_other_origin_is_denied() {
    let (listed, other) = (run("hello-http").start().await, run("hello-http").start().await);
    let app = run("misbehave").toml(&allowing(&[listed.url("")])).start().await;
    let port = listed.address().port();
    for url in [
        other.url("/"),
        format!("https://127.0.0.1:{port}/"),
        format!("http://localhost:{port}/"),
        format!("http://127.0.0.1.example.com:{port}/"),
        "http://127.0.0.1/".to_owned(),
    ] {
        let error = ask(&app, &url).await.error();
        assert!(error.contains("HttpRequestDenied"), "{url}: {error}");
    }
}

#[tokio::test]
async fn a_backend_that_is_not_there_is_an_error_of_the_guest_alone() {
    // Nobody else gets the port, and nobody listens on it.
    let held = TcpSocket::new_v4().unwrap();
    held.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}", held.local_addr().unwrap());
    let app = run("misbehave").toml(&allowing(std::slice::from_ref(&url))).start().await;
    let error = ask(&app, &format!("{url}/")).await.error();
    assert!(error.contains("Connection"), "{error}");
    assert_eq!(app.get("/ok").await.text(), "ok");
}

#[tokio::test]
async fn a_backend_that_never_answers_ends_at_the_timeout() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let toml = format!("{}\nlimits = {{ timeout = \"1s\" }}", allowing(std::slice::from_ref(&url)));
    let app = run("misbehave").toml(&toml).start().await;
    assert!(ask(&app, &format!("{url}/")).await.refused(500).contains("limits.timeout"));
}

/// Answers every request of a connection with `answered`, and says each time how many it has had.
async fn answer_requests(mut stream: impl AsyncRead + AsyncWrite + Unpin, tell: impl Fn(usize)) {
    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nanswered";
    let (mut received, mut requests) = (Vec::new(), 0);
    loop {
        let mut piece = [0; 1024];
        match stream.read(&mut piece).await {
            Ok(0) | Err(_) => return,
            Ok(length) => received.extend_from_slice(&piece[..length]),
        }
        if received.ends_with(b"\r\n\r\n") {
            received.clear();
            requests += 1;
            tell(requests);
            if stream.write_all(ANSWER).await.is_err() {
                return;
            }
        }
    }
}

#[tokio::test]
async fn requests_of_many_instances_share_a_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let most = Arc::new(AtomicUsize::new(0));
    let told = most.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let told = told.clone();
            tokio::spawn(answer_requests(stream, move |requests| {
                told.fetch_max(requests, Ordering::Relaxed);
            }));
        }
    });
    let app = run("misbehave").toml(&allowing(std::slice::from_ref(&url))).start().await;
    // Where it is not yet free again as the next request comes, that one has another.
    eventually("a connection that ten instances have used", async || {
        assert_eq!(ask(&app, &format!("{url}/")).await.json()["body"], "answered");
        (most.load(Ordering::Relaxed) >= 10).then_some(())
    })
    .await;
}

#[tokio::test]
async fn https_trusts_the_certificates_of_the_system_and_no_other() {
    let certificate = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(certificate.signing_key.serialize_der()).unwrap();
    let tls = ServerConfig::builder().with_no_client_auth();
    let tls = Arc::new(tls.with_single_cert(vec![certificate.cert.der().clone()], key).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = TlsAcceptor::from(tls.clone());
            tokio::spawn(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    answer_requests(stream, drop).await;
                }
            });
        }
    });
    let allowed = allowing(std::slice::from_ref(&url));
    let trusting = run("misbehave").toml(&allowed);
    let trusted = trusting.path("trusted.pem");
    fs::write(&trusted, certificate.cert.pem()).unwrap();
    let trusting = trusting.env("SSL_CERT_FILE", trusted).start().await;
    assert_eq!(ask(&trusting, &format!("{url}/")).await.json()["body"], "answered");

    let wary = run("misbehave").toml(&allowed).start().await;
    let error = ask(&wary, &format!("{url}/")).await.error();
    assert!(error.contains("TlsCertificateError"), "{error}");
    let line = wary.wait_for_log("an outgoing request to").await;
    assert!(line.contains(&url) && line.contains("certificate"), "{line}");
}

#[tokio::test]
async fn a_response_that_breaks_off_is_an_error_and_never_whole() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nonly this").await;
        }
    });
    let app = run("misbehave").toml(&allowing(std::slice::from_ref(&url))).start().await;
    let answer = ask(&app, &format!("{url}/")).await;
    assert!(!answer.status.is_success(), "{}", answer.body_text());
}

/// A server that answers each request of each connection with the next of these, and keeps what it was sent.
struct Script {
    authority: String,
    heard: Arc<Mutex<Vec<String>>>,
}

/// What a server does with a request.
#[derive(Clone, Copy)]
enum Act {
    Answer(&'static str),
    /// Closes the connection instead.
    Close,
}

const OK: Act = Act::Answer("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");

impl Script {
    async fn start(acts: &'static [Act]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let authority = listener.local_addr().unwrap().to_string();
        let heard = Arc::<Mutex<Vec<String>>>::default();
        let (telling, next) = (heard.clone(), Arc::new(AtomicUsize::new(0)));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(Self::play(stream, acts, next.clone(), telling.clone()));
            }
        });
        Self { authority, heard }
    }

    async fn play(mut stream: TcpStream, acts: &[Act], next: Arc<AtomicUsize>, heard: Arc<Mutex<Vec<String>>>) {
        while let Some(request) = read_request(&mut stream).await {
            heard.lock().unwrap().push(request);
            let act = acts.get(next.fetch_add(1, Ordering::Relaxed)).copied().unwrap_or(OK);
            let Act::Answer(answer) = act else { return };
            if stream.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
    }

    /// What it was sent, in the order of the requests.
    fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }

    async fn app(&self) -> Running {
        run("misbehave").toml(&allowing(&[format!("http://{}", self.authority)])).start().await
    }

    async fn send(&self, app: &Running, query: &str) -> slight_e2e::Answer {
        app.get(&format!("/send?authority={}&{query}", self.authority)).await
    }
}

/// A request with its body, if it has one.
async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut received = String::new();
    loop {
        let mut piece = [0; 1024];
        let length = stream.read(&mut piece).await.ok().filter(|length| *length > 0)?;
        received.push_str(&String::from_utf8_lossy(&piece[..length]));
        let Some((head, body)) = received.split_once("\r\n\r\n") else { continue };
        let length =
            head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |n| n.parse().unwrap());
        let is_chunked = head.contains("transfer-encoding: chunked");
        let is_whole = if is_chunked { body.ends_with("0\r\n\r\n") } else { body.len() >= length };
        if is_whole {
            return Some(received);
        }
    }
}

#[tokio::test]
async fn a_request_on_a_connection_that_the_server_closes_is_sent_again_if_it_can_be() {
    // The first keeps the connection, which is closed when the next comes.
    static ACTS: [Act; 2] = [OK, Act::Close];
    for method in ["GET", "OPTIONS", "PUT"] {
        let server = Script::start(&ACTS).await;
        let app = server.app().await;
        for _ in 0..2 {
            assert_eq!(server.send(&app, &format!("path=/&method={method}")).await.json()["status"], 200, "{method}");
        }
        assert_eq!(server.heard().len(), 3, "{method}");
    }
    for query in ["path=/&method=POST", "path=/&method=PUT&body=x"] {
        let server = Script::start(&ACTS).await;
        let app = server.app().await;
        server.send(&app, "path=/").await.text();
        server.send(&app, query).await.error();
        assert_eq!(server.heard().len(), 2, "{query}");
    }
    // Once, and not on a connection that was new.
    static ALWAYS: [Act; 9] = [Act::Close; 9];
    let server = Script::start(&ALWAYS).await;
    server.send(&server.app().await, "path=/").await.error();
    assert_eq!(server.heard().len(), 1);
}

#[tokio::test]
async fn a_body_is_sent_with_every_method_that_may_have_one() {
    let server = Script::start(&[]).await;
    let app = server.app().await;
    for method in ["GET", "OPTIONS", "POST", "BREW"] {
        server.send(&app, &format!("path=/&method={method}&body=abc")).await.text();
        let heard = server.heard().pop().unwrap();
        assert!(heard.contains("transfer-encoding: chunked") && heard.contains("3\r\nabc\r\n0\r\n"), "{heard}");
    }
    server.send(&app, "path=/&field=content-length:3&body=abc").await.text();
    let heard = server.heard().pop().unwrap();
    assert!(heard.contains("content-length: 3") && heard.ends_with("abc"), "{heard}");
    // One that is empty is none.
    server.send(&app, "path=/&body=").await.text();
    let heard = server.heard().pop().unwrap();
    assert!(!heard.contains("transfer-encoding") && heard.ends_with("\r\n\r\n"), "{heard}");
    // RFC 9110, section 9.3.8.
    assert!(server.send(&app, "path=/&method=TRACE&body=abc").await.error().contains("HttpRequestMethodInvalid"));
}

#[tokio::test]
async fn a_request_is_for_the_path_that_was_set() {
    let server = Script::start(&[]).await;
    let app = server.app().await;
    for (query, line) in [
        ("", "GET / HTTP/1.1"),
        ("path=", "GET / HTTP/1.1"),
        ("path=?q", "GET /?q HTTP/1.1"),
        ("path=a/b?q", "GET /a/b?q HTTP/1.1"),
        ("path=../..", "GET /../.. HTTP/1.1"),
        ("path=http://elsewhere/", "GET /http://elsewhere/ HTTP/1.1"),
        ("path=*", "GET /* HTTP/1.1"),
        ("method=OPTIONS&path=*", "OPTIONS * HTTP/1.1"),
        ("method=OPTIONS", "OPTIONS * HTTP/1.1"),
        ("method=OPTIONS&path=/", "OPTIONS / HTTP/1.1"),
    ] {
        server.send(&app, query).await.text();
        assert_eq!(server.heard().pop().unwrap().lines().next().unwrap(), line, "{query:?}");
    }
    let allowed = allowing(&[format!("http://{}", server.authority)]);
    let app = run("hello-http-p3").toml(&allowed).start().await;
    for (path, read, line) in [
        ("", "None", "GET / HTTP/1.1"),
        ("/", "Some(\"/\")", "GET / HTTP/1.1"),
        ("/a/b", "Some(\"/a/b\")", "GET /a/b HTTP/1.1"),
        ("/a/b&relative", "Some(\"a/b\")", "GET /a/b HTTP/1.1"),
        ("/../..&relative", "Some(\"../..\")", "GET /../.. HTTP/1.1"),
        ("/&relative", "Some(\"/\")", "GET / HTTP/1.1"),
    ] {
        let answer = app.get(&format!("/send?{}{path}", server.authority)).await.text();
        assert_eq!(answer, format!("{read} ok"), "{path:?}");
        assert_eq!(server.heard().pop().unwrap().lines().next().unwrap(), line, "{path:?}");
    }
}

#[tokio::test]
async fn a_request_says_what_http_lets_it_say() {
    let server = Script::start(&[]).await;
    let app = server.app().await;
    server.send(&app, "path=/&field=te:trailers,%20gzip;q=0.5&field=x-a:1").await.text();
    let heard = server.heard().pop().unwrap();
    assert!(heard.contains("te: trailers\r\n") && heard.contains("connection: te\r\n"), "{heard}");
    assert_eq!(heard.matches("host: ").count(), 1, "{heard}");
    assert!(heard.contains(&format!("host: {}\r\n", server.authority)), "{heard}");
    for field in ["connection", "keep-alive", "transfer-encoding", "upgrade", "host", "proxy-connection"] {
        assert!(server.send(&app, &format!("path=/&field={field}:x")).await.error().contains("Forbidden"), "{field}");
    }
    let before = server.heard().len();
    let error = app.get(&format!("/send?path=/&authority=user:pass@{}", server.authority)).await.error();
    assert!(error.contains("HttpRequestUriInvalid"), "{error}");
    let error = server.send(&app, "path=/&method=CONNECT").await.error();
    assert!(error.contains("HttpRequestMethodInvalid"), "{error}");
    assert_eq!(server.heard().len(), before);
}

#[tokio::test]
async fn responses_are_read_as_http_frames_them() {
    static ACTS: [Act; 7] = [
        Act::Answer(
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nx: 1\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
        ),
        Act::Answer("HTTP/1.1 204 No Content\r\n\r\n"),
        Act::Answer("HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n"),
        Act::Answer("HTTP/1.1 200 OK\r\nconnection: x-sec\r\nx-sec: 1\r\ncontent-length: 2\r\n\r\nok"),
        Act::Answer("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n"),
        Act::Answer("HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok"),
        Act::Answer("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nx\r\n"),
    ];
    let server = Script::start(&ACTS).await;
    let app = server.app().await;
    for (status, body) in [(200, "ok"), (204, ""), (304, ""), (200, "ok")] {
        let answer = server.send(&app, "path=/").await.json();
        assert_eq!((&answer["status"], &answer["body"]), (&status.into(), &body.into()));
        assert!(!answer["headers"].to_string().contains("x-sec"), "{answer}");
    }
    assert!(server.send(&app, "path=/").await.error().contains("HttpUpgradeFailed"));
    server.send(&app, "path=/&method=POST").await.error();
    server.send(&app, "path=/&method=POST").await.error();
}
