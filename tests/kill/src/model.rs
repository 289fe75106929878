use std::collections::BTreeMap;

use slight_capabilities::Capability;

use crate::{Outcome, content::Content, messages::Messages, protocol::Line};

/// What must be there, by what the writers told.
#[derive(Default)]
pub(crate) struct Model {
    pub(crate) entries: Stored,
    pub(crate) objects: Stored,
    pub(crate) counter: Counter,
    pub(crate) messages: Messages,
    /// How many writes were acknowledged so far.
    pub(crate) acknowledged: u64,
}

/// Names and what they hold.
#[derive(Default)]
pub(crate) struct Stored {
    settled: BTreeMap<String, Content>,
    /// Asked for and not acknowledged: it may have happened, or not.
    pending: BTreeMap<String, Option<Content>>,
}

/// A counter that is only incremented, by one.
#[derive(Default)]
pub(crate) struct Counter {
    base: i64,
    begun: i64,
    done: i64,
    largest: i64,
}

impl Model {
    pub(crate) fn learn(&mut self, line: Line) -> Outcome {
        match line {
            Line::Ready => return Ok(()),
            Line::Begin(capability, name, content) => _ = self.stored(capability).pending.insert(name, content),
            Line::Done(capability, name) => {
                self.acknowledged += 1;
                self.stored(capability).settle(name)?;
            }
            Line::Increment => self.counter.begun += 1,
            Line::Sum(sum) => {
                self.acknowledged += 1;
                self.counter.done += 1;
                self.counter.largest = self.counter.largest.max(sum);
            }
            Line::Published(..) | Line::Acked(..) => {
                self.acknowledged += 1;
                self.messages.learn(line)?;
            }
            Line::Publish(..) | Line::Taken(..) | Line::Ack(..) => self.messages.learn(line)?,
            Line::Wrong(what) => return Err(format!("the writer failed: {what}")),
        }
        Ok(())
    }

    fn stored(&mut self, capability: Capability) -> &mut Stored {
        if capability == Capability::Blob { &mut self.objects } else { &mut self.entries }
    }
}

impl Stored {
    fn settle(&mut self, name: String) -> Outcome {
        let content = self.pending.remove(&name).ok_or_else(|| format!("{name} was done and not begun"))?;
        self.put(name, content);
        Ok(())
    }

    fn put(&mut self, name: String, content: Option<Content>) {
        match content {
            Some(content) => _ = self.settled.insert(name, content),
            None => _ = self.settled.remove(&name),
        }
    }

    /// Every name that may be there.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = self.settled.keys().chain(self.pending.keys()).cloned().collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Takes what a name holds now for the truth, if it may be.
    pub(crate) fn found(&mut self, name: &str, found: Option<&[u8]>) -> Outcome {
        let settled = self.settled.get(name).copied();
        let pending = self.pending.remove(name);
        let fits = |content: Option<Content>| match (content, found) {
            (None, None) => true,
            (Some(content), Some(found)) => content.is(found),
            _ => false,
        };
        let content = [Some(settled), pending].into_iter().flatten().find(|content| fits(*content));
        match content {
            Some(content) => self.put(name.to_owned(), content),
            None => {
                return Err(format!(
                    "{name}: acknowledged is {settled:?}, asked for is {pending:?}, found are {:?} bytes",
                    found.map(<[u8]>::len)
                ));
            }
        }
        Ok(())
    }
}

impl Counter {
    pub(crate) fn found(&mut self, found: i64) -> Outcome {
        let (least, most) = (self.base + self.done, self.base + self.begun);
        if found < least.max(self.largest) || found > most {
            return Err(format!("the counter: expected {least} to {most}, at least {}, found {found}", self.largest));
        }
        *self = Self { base: found, largest: found, ..Self::default() };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: Content = Content { number: 1, size: 10 };
    const NEW: Content = Content { number: 2, size: 10 };

    fn after(lines: &[Line]) -> Stored {
        let mut model = Model::default();
        lines.iter().for_each(|line| model.learn(line.clone()).unwrap());
        model.entries
    }

    fn write(content: Option<Content>) -> Line {
        Line::Begin(Capability::KeyValue, "a".into(), content)
    }

    fn done() -> Line {
        Line::Done(Capability::KeyValue, "a".into())
    }

    #[test]
    fn what_was_acknowledged_must_be_there() {
        let lines = [write(Some(OLD)), done()];
        assert!(after(&lines).found("a", Some(&OLD.bytes())).is_ok());
        assert!(after(&lines).found("a", None).is_err());
        assert!(after(&lines).found("a", Some(&NEW.bytes())).is_err());
        assert!(after(&lines).found("a", Some(&OLD.bytes()[..9])).is_err());
    }

    #[test]
    fn what_was_asked_for_may_be_there() {
        let lines = [write(Some(OLD)), done(), write(Some(NEW))];
        assert!(after(&lines).found("a", Some(&OLD.bytes())).is_ok());
        assert!(after(&lines).found("a", Some(&NEW.bytes())).is_ok());
        assert!(after(&lines).found("a", None).is_err());
        let lines = [write(Some(OLD)), done(), write(None)];
        assert!(after(&lines).found("a", None).is_ok());
    }

    #[test]
    fn a_counter_is_between_what_was_done_and_what_was_begun() {
        for (found, fits) in [(1, false), (2, true), (3, true), (4, false)] {
            let mut model = Model::default();
            let lines = [Line::Increment, Line::Sum(1), Line::Increment, Line::Sum(2), Line::Increment];
            lines.into_iter().for_each(|line| model.learn(line).unwrap());
            assert_eq!(model.counter.found(found).is_ok(), fits, "{found}");
        }
    }
}
