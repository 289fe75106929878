use std::{env, fmt, io::Write, path::PathBuf, str::FromStr};

use slight_capabilities::Capability;

use crate::{Outcome, content::Content};

const DIRECTORY: &str = "SLIGHT_KILL_WRITER";
const NUMBERS: &str = "SLIGHT_KILL_NUMBERS";

/// Marks the lines of ours on a stdout that the test harness writes to as well.
const MARK: &str = "@";

/// What a writer is told, by its environment.
pub(crate) struct Orders {
    pub(crate) directory: PathBuf,
    /// Tells the contents of this writer from those of the others.
    pub(crate) round: u64,
    pub(crate) seed: u64,
}

impl Orders {
    pub(crate) fn given() -> Outcome<Option<Self>> {
        let Some(directory) = env::var_os(DIRECTORY) else { return Ok(None) };
        let numbers = env::var(NUMBERS).map_err(|error| error.to_string())?;
        let (round, seed) = numbers.split_once(' ').ok_or("two numbers are needed")?;
        let number = |text: &str| text.parse().map_err(|error| format!("{text:?}: {error}"));
        Ok(Some(Self { directory: directory.into(), round: number(round)?, seed: number(seed)? }))
    }

    pub(crate) fn environment(&self) -> [(&'static str, std::ffi::OsString); 2] {
        [(DIRECTORY, self.directory.clone().into()), (NUMBERS, format!("{} {}", self.round, self.seed).into())]
    }
}

/// One thing that a writer tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Line {
    /// The provider is open, the writing begins.
    Ready,
    /// An entry or object is about to have this content, or to be deleted.
    Begin(Capability, String, Option<Content>),
    /// It has been acknowledged.
    Done(Capability, String),
    /// The counter is about to be incremented by one.
    Increment,
    /// It has been acknowledged, with this sum.
    Sum(i64),
    /// A message is about to be published; its number is that of its content.
    Publish(Content),
    /// It has been acknowledged.
    Published(u64),
    /// A group, a message, and the count of its delivery.
    Taken(String, u64, u32),
    /// A message of a group is about to be acked.
    Ack(String, u64),
    /// It has been acknowledged.
    Acked(String, u64),
    /// What went wrong; the writer ends.
    Wrong(String),
}

impl Line {
    /// Writes it in one piece, so that a kill leaves whole lines.
    pub(crate) fn tell(&self) {
        let line = format!("{MARK}{self}\n");
        // Nobody reads: the other process has ended, and so may this.
        if std::io::stdout().lock().write_all(line.as_bytes()).is_err() {
            std::process::exit(1);
        }
    }

    /// Reads a line of stdout; `None` if it is none of ours.
    pub(crate) fn read(line: &str) -> Option<Outcome<Self>> {
        line.strip_prefix(MARK).map(str::parse)
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready => write!(f, "ready"),
            Self::Begin(capability, name, None) => write!(f, "delete {capability} {name}"),
            Self::Begin(capability, name, Some(content)) => write!(f, "write {capability} {name} {content}"),
            Self::Done(capability, name) => write!(f, "done {capability} {name}"),
            Self::Increment => write!(f, "increment"),
            Self::Sum(sum) => write!(f, "sum {sum}"),
            Self::Publish(content) => write!(f, "publish {content}"),
            Self::Published(number) => write!(f, "published {number}"),
            Self::Taken(group, number, count) => write!(f, "taken {group} {number} {count}"),
            Self::Ack(group, number) => write!(f, "ack {group} {number}"),
            Self::Acked(group, number) => write!(f, "acked {group} {number}"),
            Self::Wrong(what) => write!(f, "wrong {}", what.replace('\n', " ")),
        }
    }
}

impl FromStr for Line {
    type Err = String;

    fn from_str(text: &str) -> Outcome<Self> {
        let number = |text: &str| text.parse::<u64>().map_err(|error| format!("{text:?}: {error}"));
        let words: Vec<&str> = text.split(' ').collect();
        Ok(match words.as_slice() {
            ["ready"] => Self::Ready,
            ["delete", capability, name] => Self::Begin(capability_of(capability)?, (*name).into(), None),
            ["write", capability, name, content] => {
                Self::Begin(capability_of(capability)?, (*name).into(), Some(content.parse()?))
            }
            ["done", capability, name] => Self::Done(capability_of(capability)?, (*name).into()),
            ["increment"] => Self::Increment,
            ["sum", sum] => Self::Sum(sum.parse().map_err(|error| format!("{sum:?}: {error}"))?),
            ["publish", content] => Self::Publish(content.parse()?),
            ["published", message] => Self::Published(number(message)?),
            ["taken", group, message, count] => {
                let count = count.parse().map_err(|error| format!("{count:?}: {error}"))?;
                Self::Taken((*group).into(), number(message)?, count)
            }
            ["ack", group, message] => Self::Ack((*group).into(), number(message)?),
            ["acked", group, message] => Self::Acked((*group).into(), number(message)?),
            ["wrong", ..] => Self::Wrong(text.trim_start_matches("wrong ").into()),
            _ => return Err(format!("no line of a writer: {text:?}")),
        })
    }
}

fn capability_of(name: &str) -> Outcome<Capability> {
    let found = Capability::ALL.into_iter().find(|capability| capability.name() == name);
    found.ok_or_else(|| format!("no capability: {name:?}"))
}
