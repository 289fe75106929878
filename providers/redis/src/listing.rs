use std::collections::BTreeSet;

use redis::{Value, from_redis_value, pipe};
use slight_capabilities::{Cursor, Error, Page, Result, check_key};

use crate::{cluster::Node, errors, link::Link};

/// How many keys the server looks at for a page, ours or not.
const STEP: usize = 1000;

/// How many at most, once it has found none of ours among many: each look holds up the server for about a millisecond.
const LONG_STEP: usize = 8000;

/// What `SCAN` begins with, and says when it is through.
const START: &str = "0";

/// Where a listing is: in a scan of one node.
struct Position {
    /// The node; empty where there is only one.
    node: String,
    /// The run of the server that `scan` is of: another one has its keys in another order.
    run: String,
    /// What `SCAN` said last.
    scan: String,
}

impl Position {
    fn start_of(node: &str) -> Self {
        Self { node: node.to_owned(), run: String::new(), scan: START.to_owned() }
    }

    fn write(&self) -> String {
        format!("{} {} {}", self.node, self.run, self.scan)
    }

    fn read(payload: &[u8]) -> Option<Self> {
        let mut parts = std::str::from_utf8(payload).ok()?.split(' ').map(str::to_owned);
        let position = Self { node: parts.next()?, run: parts.next()?, scan: parts.next()? };
        parts.next().is_none().then_some(position)
    }
}

/// One page of the keys that begin with `prefix`.
///
/// Node by node and step by step, until there is a key or no more. The server may name a key twice while it changes the
/// size of its table; on one page it is named once.
pub(crate) async fn page(link: &Link, prefix: &str, cursor: Option<&Cursor>) -> Result<Page<String>> {
    let scope = ["redis", prefix];
    let nodes = link.primaries().await?;
    let mut position = match cursor {
        None => Position::start_of(""),
        Some(cursor) => Position::read(&cursor.payload(&scope)?)
            .ok_or_else(|| Error::invalid("the cursor was not made by this listing; start again without one"))?,
    };
    let mut step = STEP;
    // A node that has left the cluster has given its keys to others: the next one has its turn.
    while let Some(node) = nodes.iter().find(|node| name(node) >= position.node.as_str()) {
        if name(node) != position.node {
            position = Position::start_of(name(node));
        }
        let seen = look(link, node.as_ref(), prefix, &position.scan, step).await?;
        if position.scan != START && position.run != seen.run {
            // What was listed so far comes again: better twice than never.
            position = Position::start_of(name(node));
            continue;
        }
        let next = match seen.next.as_str() {
            START => nodes.iter().find(|next| name(next) > name(node)).map(|next| Position::start_of(name(next))),
            _ => Some(Position { node: position.node, run: seen.run, scan: seen.next }),
        };
        let items: Vec<_> = seen.keys.into_iter().collect();
        match next {
            None => return Ok(Page { items, next: None }),
            Some(next) if !items.is_empty() => {
                return Ok(Page { items, next: Some(Cursor::new(&scope, next.write().as_bytes())) });
            }
            Some(next) => position = next,
        }
        step = (step * 2).min(LONG_STEP);
    }
    Ok(Page { items: Vec::new(), next: None })
}

fn name(node: &Option<Node>) -> &str {
    node.as_ref().map_or("", |node| &node.id)
}

/// What one step of a scan found.
struct Seen {
    run: String,
    next: String,
    keys: BTreeSet<String>,
}

async fn look(link: &Link, node: Option<&Node>, prefix: &str, scan: &str, step: usize) -> Result<Seen> {
    let mut commands = pipe();
    // The prefix has no character that a pattern gives a meaning to. What is no string is no entry.
    commands
        .cmd("SCAN")
        .arg(scan)
        .arg("MATCH")
        .arg(format!("{prefix}*"))
        .arg("COUNT")
        .arg(step)
        .arg("TYPE")
        .arg("string");
    commands.cmd("INFO").arg("server");
    let mut answers = link.read_at(node, &commands).await?.into_iter();
    let (Some(scanned), Some(info)) = (answers.next(), answers.next()) else { return Err(errors::odd()) };
    let scanned = scanned.extract_error().map_err(|error| errors::error(error, true))?;
    let (next, found): (String, Vec<Vec<u8>>) = from_redis_value(scanned).map_err(|_| errors::odd())?;
    let keys = found.into_iter().filter_map(|key| guest_key(prefix, key)).collect();
    Ok(Seen { run: run_of(info), next, keys })
}

/// A server that does not tell, since the user may not ask, is taken for the same one.
fn run_of(info: Value) -> String {
    let info: String = from_redis_value(info).unwrap_or_default();
    info.lines().find_map(|line| line.strip_prefix("run_id:")).unwrap_or_default().trim_end().to_owned()
}

/// What another program has put under our prefix may be no text, empty or too long, and so no key that a guest can name.
fn guest_key(prefix: &str, key: Vec<u8>) -> Option<String> {
    let key = String::from_utf8(key).ok()?;
    let key = key.strip_prefix(prefix)?;
    check_key("key", key).is_ok().then(|| key.to_owned())
}
