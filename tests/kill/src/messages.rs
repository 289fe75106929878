use std::collections::BTreeMap;

use crate::{Outcome, content::Content, protocol::Line};

/// The groups that the writers make.
pub(crate) const GROUPS: [&str; 2] = ["one", "two"];

/// What the groups must hold, by what the writers told.
#[derive(Default)]
pub(crate) struct Messages {
    published: BTreeMap<u64, Published>,
    held: BTreeMap<(String, u64), Held>,
    /// How many messages were taken so far.
    taken: u64,
    /// Of these, how many before the publication of a message that was acknowledged: their counts are durable.
    counted: u64,
}

struct Published {
    content: Content,
    acknowledged: bool,
    /// How many messages were taken before it was begun.
    taken: u64,
}

#[derive(Default)]
struct Held {
    count: u32,
    /// The number of the taking.
    taken: u64,
    ack_begun: bool,
    acked: bool,
}

impl Messages {
    pub(crate) fn learn(&mut self, line: Line) -> Outcome {
        match line {
            Line::Publish(content) => {
                let taken = self.taken;
                _ = self.published.insert(content.number, Published { content, acknowledged: false, taken });
            }
            Line::Published(number) => {
                let published = self.published.get_mut(&number).ok_or("published and not begun")?;
                published.acknowledged = true;
                self.counted = self.counted.max(published.taken);
            }
            Line::Taken(group, number, count) => {
                let held = self.held.entry((group.clone(), number)).or_default();
                if held.acked || count <= held.count {
                    return Err(format!(
                        "message {number} came to group {group} with count {count} after {}{}",
                        held.count,
                        if held.acked { " and its ack" } else { "" }
                    ));
                }
                self.taken += 1;
                (held.count, held.taken) = (count, self.taken);
            }
            Line::Ack(group, number) => self.held.entry((group, number)).or_default().ack_begun = true,
            Line::Acked(group, number) => self.held.entry((group, number)).or_default().acked = true,
            _ => {}
        }
        Ok(())
    }

    /// How many messages a group must have: acknowledged, and no ack begun.
    pub(crate) fn required(&self, group: &str) -> Vec<u64> {
        let begun = |number: u64| self.held.get(&(group.to_owned(), number)).is_some_and(|held| held.ack_begun);
        let acknowledged = self.published.iter().filter(|(_, published)| published.acknowledged);
        acknowledged.map(|(number, _)| *number).filter(|number| !begun(*number)).collect()
    }

    /// Checks a message that a group has.
    pub(crate) fn found(&mut self, group: &str, number: u64, count: u32, data: &[u8]) -> Outcome {
        let published = self.published.get(&number);
        let content =
            published.ok_or_else(|| format!("group {group} has message {number}, which nobody sent"))?.content;
        if !content.is(data) {
            return Err(format!("message {number} of group {group} has other content of {} bytes", data.len()));
        }
        // The process was killed before the count of what it took last was written.
        let counted = self.counted;
        let held = self.held.get_mut(&(group.to_owned(), number));
        if let Some(held) = held.filter(|held| held.taken > counted) {
            held.count = held.count.saturating_sub(1);
        }
        self.learn(Line::Taken(group.to_owned(), number, count))
    }

    /// Requires no more of these messages. What was acked must not come again; what was not found may still come.
    pub(crate) fn settle(&mut self) {
        self.held.retain(|_, held| held.acked);
        self.published.values_mut().for_each(|published| published.acknowledged = false);
    }
}
