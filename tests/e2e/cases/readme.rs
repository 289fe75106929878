//! Runs the commands of an example's README as they stand there.

use std::{
    collections::BTreeMap,
    fs,
    hash::{DefaultHasher, Hasher},
    process::Command,
    sync::Mutex,
};

use slight_e2e::{Ended, Running, eventually, guest, root, run};

use crate::curl::Curl;

/// Runs an example with a configuration, and requires that it does as its README says; how it ended. All configurations
/// get the same component, to the byte.
pub async fn holds(example: &'static str, toml: &str) -> Ended {
    is_the_same_component(example);
    let text = fs::read_to_string(root().join("examples").join(example).join("README.md")).unwrap();
    let (steps, shown) = (steps(&text), text.split("```console\n").nth(1).and_then(|rest| rest.split("```").next()));
    let ended = if steps.is_empty() {
        run(example).toml(toml).end().await
    } else {
        let app = run(example).toml(toml).start().await;
        follow(&app, &steps).await;
        app.stop().await
    };
    assert_eq!(ended.code, Some(0), "{ended:?}");
    // A command: the block is what it prints.
    if steps.is_empty() {
        assert_eq!(Some(ended.stdout.as_str()), shown, "{ended:?}");
    }
    is_the_same_component(example);
    ended
}

/// Requires that the component is the one that was there the first time.
fn is_the_same_component(example: &'static str) {
    /// A hash of each.
    static COMPONENTS: Mutex<BTreeMap<&str, u64>> = Mutex::new(BTreeMap::new());
    let mut hasher = DefaultHasher::new();
    hasher.write(&fs::read(guest(example)).unwrap());
    let hash = hasher.finish();
    let first = *COMPONENTS.lock().unwrap().entry(example).or_insert(hash);
    assert_eq!(hash, first, "the component of {example} is another one now");
}

/// A line after `$`, and the lines below it.
struct Step {
    command: String,
    expected: Vec<String>,
}

/// The steps of every `console` block of a README.
fn steps(text: &str) -> Vec<Step> {
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
    steps
}

async fn follow(app: &Running, steps: &[Step]) {
    let mut placeholder = Placeholder::default();
    for step in steps {
        let command = placeholder.fill_in(&step.command);
        if !command.starts_with("curl ") {
            let ran = Command::new("sh").args(["-c", &command]).current_dir(app.dir()).status().unwrap();
            assert!(ran.success(), "{command}");
            continue;
        }
        let curl = Curl::parse(&command, app);
        let expected = step.expected.join("\n");
        if curl.changes_nothing() {
            // Some of it takes effect a little later.
            eventually(&format!("{expected} from {command}"), async || {
                let shown = curl.run(app).await;
                placeholder.matches(&shown, &expected, &command).then_some(())
            })
            .await;
        } else {
            let shown = curl.run(app).await;
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
