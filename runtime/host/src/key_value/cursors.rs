use std::{
    collections::{HashMap, VecDeque, hash_map::RandomState},
    hash::BuildHasher,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use slight_capabilities::{Cursor, Error, Result};

/// How many cursors are remembered; the oldest goes first.
const CAPACITY: usize = 10_000;
/// How long a cursor is remembered.
const LIFETIME: Duration = Duration::from_secs(600);

/// Numbers that stand for cursors, for guests of wasi:keyvalue 0.2.0-draft, where a cursor is a `u64`.
///
/// The numbers are random, so that a number from another bucket, another process or the guest's own fancy is unknown
/// rather than wrong.
#[derive(Default)]
pub(crate) struct Cursors(Mutex<Table>);

#[derive(Default)]
struct Table {
    known: HashMap<u64, Known>,
    /// In the order in which they were given out.
    order: VecDeque<(u64, Instant)>,
}

struct Known {
    bucket: Arc<str>,
    cursor: Cursor,
}

impl Cursors {
    /// Gives a number for a cursor of this bucket.
    pub fn number(&self, bucket: &Arc<str>, cursor: Cursor) -> u64 {
        self.number_at(bucket, cursor, Instant::now())
    }

    fn number_at(&self, bucket: &Arc<str>, cursor: Cursor, now: Instant) -> u64 {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        table.forget(now);
        let number = loop {
            // Each `RandomState` has keys of its own, from the operating system's randomness.
            let number = RandomState::new().hash_one(table.order.len());
            if !table.known.contains_key(&number) {
                break number;
            }
        };
        table.known.insert(number, Known { bucket: bucket.clone(), cursor });
        table.order.push_back((number, now));
        number
    }

    /// The cursor that a number stands for. It stays known: a guest may ask for a page again.
    ///
    /// # Errors
    /// `Invalid` for a number that was not given out for this bucket, or too long ago.
    pub fn find(&self, bucket: &Arc<str>, number: u64) -> Result<Cursor> {
        self.find_at(bucket, number, Instant::now())
    }

    fn find_at(&self, bucket: &Arc<str>, number: u64, now: Instant) -> Result<Cursor> {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        table.forget(now);
        match table.known.get(&number) {
            Some(known) if known.bucket == *bucket => Ok(known.cursor.clone()),
            _ => {
                Err(Error::invalid(format!("the cursor {number} is not known, or no longer; start again without one")))
            }
        }
    }
}

impl Table {
    fn forget(&mut self, now: Instant) {
        while let Some((number, given)) = self.order.front() {
            if self.order.len() < CAPACITY && now.duration_since(*given) < LIFETIME {
                return;
            }
            self.known.remove(number);
            self.order.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursor(text: &str) -> Cursor {
        Cursor::from(text.to_owned())
    }

    #[test]
    fn a_number_leads_back_to_its_cursor_in_its_bucket_only() {
        let cursors = Cursors::default();
        let number = cursors.number(&"a".into(), cursor("next"));
        assert_eq!(cursors.find(&"a".into(), number).unwrap(), cursor("next"));
        assert!(cursors.find(&"b".into(), number).is_err());
        assert!(cursors.find(&"a".into(), number.wrapping_add(1)).is_err());
    }

    #[test]
    fn numbers_are_forgotten_with_time_and_in_number() {
        let (cursors, bucket, start) = (Cursors::default(), "a".into(), Instant::now());
        let first = cursors.number_at(&bucket, cursor("1"), start);
        assert!(cursors.find_at(&bucket, first, start + LIFETIME).is_err());

        let first = cursors.number_at(&bucket, cursor("1"), start);
        for _ in 0..CAPACITY {
            cursors.number_at(&bucket, cursor("n"), start);
        }
        assert!(cursors.find_at(&bucket, first, start).is_err());
        assert!(cursors.0.lock().unwrap().known.len() <= CAPACITY);
    }
}
