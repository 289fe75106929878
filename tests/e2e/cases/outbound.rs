//! Requests that the guest sends.

use slight_e2e::{Running, run};

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
    let port = {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        free.local_addr().unwrap().port()
    };
    let url = format!("http://127.0.0.1:{port}");
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
