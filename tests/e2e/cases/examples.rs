//! What each example does, on memory.

use std::fs;

use http::Method;
use slight_e2e::{root, run};

use crate::readme;

fn configuration(example: &str) -> String {
    fs::read_to_string(root().join("examples").join(example).join("memory.toml")).unwrap()
}

#[tokio::test]
async fn the_guestbook_answers_as_its_readme_says() {
    readme::holds("guestbook", &configuration("guestbook")).await;
}

#[tokio::test]
async fn photos_answers_as_its_readme_says() {
    readme::holds("photos", &configuration("photos")).await;
}

#[tokio::test]
async fn orders_answers_as_its_readme_says_and_confirms_each_order_once() {
    let ended = readme::holds("orders", &configuration("orders")).await;
    assert_eq!(ended.stdout, "confirmed 3 x pears\n");
}

#[tokio::test]
async fn report_prints_what_its_readme_says() {
    readme::holds("report", &configuration("report")).await;
}

#[tokio::test]
async fn report_exits_with_1_and_says_what_it_misses() {
    for section in ["[key-value]", "[blob]", "[messaging]"] {
        let toml = configuration("report");
        let (before, after) = toml.split_once(section).unwrap();
        let rest = after.split_once("\n\n").map_or("", |(_, rest)| rest);
        let ended = run("report").toml(&format!("{before}{rest}")).end().await;
        assert_eq!(ended.code, Some(1), "{section}: {ended:?}");
        let of_guest = ended.stderr.lines().any(|line| line.starts_with("report: "));
        assert!(of_guest && ended.stderr.contains(&format!("to {section}")), "{section}: {ended:?}");
    }
}

#[tokio::test]
async fn every_example_passes_the_check_of_its_configuration() {
    for example in ["guestbook", "photos", "orders", "report"] {
        let ended = slight_e2e::check(example).toml(&configuration(example)).end().await;
        assert_eq!(ended.code, Some(0), "{example}: {ended:?}");
        assert!(ended.stdout.contains("memory"), "{example}: {ended:?}");
    }
}

#[tokio::test]
async fn a_photo_whose_upload_breaks_off_is_not_stored() {
    let app = run("photos").toml(&configuration("photos")).start().await;
    let (pieces, body) = crate::support::hand_written();
    let mut connection = app.connect().await;
    let upload = tokio::spawn(async move { connection.try_send(Method::PUT, "/photos/cat.jpg", body).await.is_ok() });
    for _ in 0..20 {
        pieces.send(vec![0; 64 * 1024].into()).await.unwrap();
    }
    upload.abort();
    assert!(upload.await.is_err(), "there can be no answer yet");
    for _ in 0..20 {
        app.get("/photos/cat.jpg").await.refused(404);
    }
    drop(pieces);
}
