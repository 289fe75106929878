//! Each example answers as its README says: its commands are run as they stand there.

use std::{fs, process::Command};

use http::Method;
use slight_e2e::{Answer, Running, empty, eventually, full, root, run};

/// A line after `$`, and the lines below it.
struct Step {
    command: String,
    expected: Vec<String>,
}

/// The steps of every `console` block of an example's README.
fn steps(example: &str) -> Vec<Step> {
    let text = fs::read_to_string(root().join("examples").join(example).join("README.md")).unwrap();
    let mut steps: Vec<Step> = Vec::new();
    for block in text.split("```console\n").skip(1) {
        let block = block.split("```").next().unwrap_or_default();
        for line in block.lines() {
            match (line.strip_prefix("$ "), steps.last_mut()) {
                (Some(command), _) => steps.push(Step { command: command.to_owned(), expected: Vec::new() }),
                (None, Some(step)) => step.expected.push(line.to_owned()),
                (None, None) => {}
            }
        }
    }
    assert!(!steps.is_empty(), "the README of {example} has no commands");
    steps
}

fn configuration(example: &str) -> String {
    fs::read_to_string(root().join("examples").join(example).join("memory.toml")).unwrap()
}

async fn answers_as_its_readme_says(example: &str) {
    let app = run(example).toml(&configuration(example)).start().await;
    let mut placeholder = Placeholder::default();
    for step in steps(example) {
        let command = placeholder.fill_in(&step.command);
        if !command.starts_with("curl ") {
            let ran = Command::new("sh").args(["-c", &command]).current_dir(app.dir()).status().unwrap();
            assert!(ran.success(), "{command}");
            continue;
        }
        let curl = Curl::parse(&command, &app);
        let expected = step.expected.join("\n");
        if curl.changes_nothing() {
            // Some of it takes effect a little later.
            eventually(&format!("{expected} from {command}"), async || {
                let shown = curl.run(&app).await;
                placeholder.matches(&shown, &expected, &command).then_some(())
            })
            .await;
        } else {
            let shown = curl.run(&app).await;
            assert!(placeholder.matches(&shown, &expected, &command), "{command} answered {shown}, not {expected}");
        }
    }
}

/// What stands for something that is different each time, such as `4be1…`, and what it was this time.
#[derive(Default)]
struct Placeholder(Option<(String, String)>);

impl Placeholder {
    fn fill_in(&self, command: &str) -> String {
        match &self.0 {
            Some((written, actual)) => command.replace(written, actual),
            None => command.to_owned(),
        }
    }

    fn matches(&mut self, shown: &str, expected: &str, command: &str) -> bool {
        let expected = self.fill_in(expected);
        if command.contains(" -i ") {
            // Some headers, such as the date, are not worth showing.
            return expected.lines().all(|line| shown.lines().any(|shown| shown == line));
        }
        let Some((before, after)) = expected.split_once('…') else { return shown == expected };
        let (before, begin) = before.split_at(before.rfind(|c: char| !c.is_alphanumeric()).map_or(0, |at| at + 1));
        let Some(actual) = shown.strip_prefix(before).and_then(|rest| rest.strip_suffix(after)) else { return false };
        self.0 = Some((format!("{begin}…"), actual.to_owned()));
        true
    }
}

/// As much of `curl` as the READMEs use, since not every machine has it.
#[derive(Default)]
struct Curl {
    method: Option<String>,
    path: String,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
    with_head: bool,
}

impl Curl {
    fn parse(command: &str, app: &Running) -> Self {
        let mut curl = Self::default();
        let mut words = words(command).into_iter().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().unwrap_or_else(|| panic!("{word} needs a value"));
            match word.as_str() {
                "-i" => curl.with_head = true,
                "-X" => curl.method = Some(value()),
                "-d" => (curl.method, curl.body) = (Some("POST".into()), Some(value().into_bytes())),
                "-T" => {
                    let file = fs::read(app.dir().join(value())).unwrap();
                    (curl.method, curl.body) = (Some("PUT".into()), Some(file));
                }
                "-H" => {
                    let header = value();
                    let (name, value) = header.split_once(": ").unwrap();
                    curl.headers.push((name.to_owned(), value.to_owned()));
                }
                url => match url.strip_prefix("http://127.0.0.1:3000") {
                    Some(path) => curl.path = path.to_owned(),
                    None => panic!("{command}: {url} is not understood here"),
                },
            }
        }
        curl
    }

    fn changes_nothing(&self) -> bool {
        self.method.is_none()
    }

    async fn run(&self, app: &Running) -> String {
        let method: Method = self.method.as_deref().unwrap_or("GET").parse().unwrap();
        let headers: Vec<(&str, &str)> =
            self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let body = self.body.clone().map_or_else(empty, full);
        let answer = app.connect().await.fetch_with(method, &self.path, &headers, body).await;
        let head = if self.with_head { head(&answer) } else { String::new() };
        format!("{head}{}", answer.body_text().trim_end_matches('\n'))
    }
}

fn head(answer: &Answer) -> String {
    let headers = answer.headers.iter().map(|(name, value)| format!("{name}: {}\n", value.to_str().unwrap()));
    format!("HTTP/1.1 {}\n{}\n", answer.status, headers.collect::<String>())
}

/// Words as a shell has them, with single quotes alone.
fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (index, part) in command.split('\'').enumerate() {
        match index % 2 {
            0 => words.extend(part.split_whitespace().map(str::to_owned)),
            _ => words.push(part.to_owned()),
        }
    }
    words
}

#[tokio::test]
async fn the_guestbook_answers_as_its_readme_says() {
    answers_as_its_readme_says("guestbook").await;
}

#[tokio::test]
async fn photos_answers_as_its_readme_says() {
    answers_as_its_readme_says("photos").await;
}

#[tokio::test]
async fn orders_answers_as_its_readme_says_and_confirms_each_order_once() {
    answers_as_its_readme_says("orders").await;
    let app = run("orders").toml(&configuration("orders")).start().await;
    app.post("/orders", r#"{"item": "pears", "quantity": 3}"#).await.text();
    app.wait_for_stdout("confirmed 3 x pears").await;
    let ended = app.stop().await;
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), "confirmed 3 x pears\n"));
}

#[tokio::test]
async fn report_prints_what_its_readme_says() {
    let text = fs::read_to_string(root().join("examples/report/README.md")).unwrap();
    let expected = text.split("```console\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap().to_owned();
    let ended = run("report").toml(&configuration("report")).end().await;
    assert_eq!((ended.code, ended.stdout), (Some(0), expected), "{}", ended.stderr);
}

#[tokio::test]
async fn report_exits_with_1_and_says_what_it_misses() {
    for section in ["[key-value]", "[blob]", "[messaging]"] {
        let toml = configuration("report");
        let (before, after) = toml.split_once(section).unwrap();
        let rest = after.split_once("\n\n").map_or("", |(_, rest)| rest);
        let ended = run("report").toml(&format!("{before}{rest}")).end().await;
        assert_eq!(ended.code, Some(1), "{section}: {ended:?}");
        assert!(ended.stderr.starts_with("report: "), "{section}: {ended:?}");
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
