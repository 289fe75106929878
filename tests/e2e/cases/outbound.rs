//! Requests that the guest sends.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use slight_e2e::{Running, eventually, run};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpSocket},
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
    assert_eq!(answer, serde_json::json!({ "status": 200, "body": "hello" }));
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
