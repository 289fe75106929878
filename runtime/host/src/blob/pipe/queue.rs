use std::{collections::VecDeque, mem};

use bytes::Bytes;

/// Shorter writes are gathered: alone, each costs as much again in bookkeeping.
const SHORT: usize = 32 * 1024;
/// How much is gathered into one chunk.
const CHUNK: usize = 64 * 1024;

/// Bytes in order, in chunks that are neither tiny nor copied when they are large.
#[derive(Default)]
pub(super) struct Queue {
    chunks: VecDeque<Bytes>,
    /// Short writes, gathered; comes after `chunks`.
    tail: Vec<u8>,
}

impl Queue {
    pub fn push(&mut self, bytes: Bytes) {
        let short = bytes.len() < SHORT;
        if short {
            self.tail.extend_from_slice(&bytes);
        }
        if !short || self.tail.len() >= CHUNK {
            let gathered = self.take_tail();
            self.chunks.extend(gathered);
        }
        if !short {
            self.chunks.push_back(bytes);
        }
    }

    pub fn pop(&mut self) -> Option<Bytes> {
        self.chunks.pop_front().or_else(|| self.take_tail())
    }

    fn take_tail(&mut self) -> Option<Bytes> {
        (!self.tail.is_empty()).then(|| mem::take(&mut self.tail).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(queue: &mut Queue) -> Vec<Bytes> {
        std::iter::from_fn(|| queue.pop()).collect()
    }

    #[test]
    fn short_writes_are_gathered() {
        let mut queue = Queue::default();
        let all: Vec<u8> = (0..200_000).map(|i: u32| i as u8).collect();
        for bytes in all.chunks(10) {
            queue.push(Bytes::copy_from_slice(bytes));
        }
        let chunks = drain(&mut queue);
        assert_eq!(chunks.len(), 4);
        assert_eq!(chunks.concat(), all);
    }

    #[test]
    fn long_writes_are_kept_as_they_are_and_in_their_place() {
        let mut queue = Queue::default();
        let long = Bytes::from(vec![2; SHORT]);
        for bytes in [Bytes::from_static(b"1"), long.clone(), Bytes::from_static(b"3")] {
            queue.push(bytes);
        }
        let chunks = drain(&mut queue);
        assert_eq!(chunks, [Bytes::from_static(b"1"), long.clone(), Bytes::from_static(b"3")]);
        assert_eq!(chunks[1].as_ptr(), long.as_ptr());
        assert!(queue.pop().is_none());
    }
}
