use std::fs;

use http::Method;
use slight_e2e::{Answer, Running, empty, full};

/// As much of `curl` as the READMEs use, since not every machine has it.
#[derive(Default)]
pub struct Curl {
    method: Option<String>,
    path: String,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
    with_head: bool,
}

impl Curl {
    pub fn parse(command: &str, app: &Running) -> Self {
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

    pub fn changes_nothing(&self) -> bool {
        self.method.is_none()
    }

    pub async fn run(&self, app: &Running) -> String {
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
