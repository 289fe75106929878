use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::mpsc;

use super::{CHUNK, Item, Origin, Served};

/// Lines that one instance writes in pieces, until they are whole: those of others must not come between.
pub(crate) struct Lines {
    chunks: mpsc::Sender<Item>,
    origin: Arc<Origin>,
    unfinished: Mutex<Vec<u8>>,
}

impl Lines {
    pub fn new(chunks: mpsc::Sender<Item>, origin: Arc<Origin>) -> Self {
        Self { chunks, origin, unfinished: Mutex::default() }
    }

    /// Where they come from.
    pub fn served(&self) -> Served {
        self.origin.served()
    }

    /// Takes what was written, and gives the lines that are whole by now; one that is far too long as far as it is there.
    pub fn add(&self, bytes: &[u8]) -> Option<Bytes> {
        let mut unfinished = self.unfinished.lock().unwrap_or_else(PoisonError::into_inner);
        let before = unfinished.len();
        unfinished.extend_from_slice(bytes);
        let end = match bytes.iter().rposition(|byte| *byte == b'\n') {
            Some(last) => before + last + 1,
            None if unfinished.len() >= CHUNK => unfinished.len(),
            None => return None,
        };
        let rest = unfinished.split_off(end);
        Some(std::mem::replace(&mut *unfinished, rest).into())
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        let rest = std::mem::take(self.unfinished.get_mut().unwrap_or_else(PoisonError::into_inner));
        if !rest.is_empty() {
            // Nothing can wait for room here. Where there is none, much more is waiting to be read.
            let _ = self.chunks.try_send(Item::Chunk(rest.into(), Some(self.origin.served())));
        }
    }
}

/// Makes an entry of the log of each line.
pub(super) fn log(chunk: &[u8], from: Option<&Served>) {
    let (instance, serving) = (from.map(|from| from.instance), from.and_then(|from| from.serving.as_deref()));
    for line in chunk.split(|byte| *byte == b'\n') {
        let line = String::from_utf8_lossy(line);
        let line = line.trim_end();
        if !line.is_empty() && from.is_none_or(|from| from.may_log(line.len())) {
            tracing::warn!(target: "guest", instance, serving, "{line}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::LogQuota;

    fn text(bytes: Option<Bytes>) -> Option<String> {
        bytes.map(|bytes| String::from_utf8(bytes.into()).unwrap())
    }

    #[test]
    fn pieces_of_a_line_come_out_together() {
        let (chunks, mut written) = mpsc::channel(1);
        let lines = Lines::new(chunks, Origin::new(&LogQuota::new(1000)));
        assert_eq!(text(lines.add(b"one, ")), None);
        assert_eq!(text(lines.add(b"two\nthree\nfo")), Some("one, two\nthree\n".to_owned()));
        assert_eq!(text(lines.add(b"ur")), None);
        drop(lines);
        let Ok(Item::Chunk(rest, _)) = written.try_recv() else { panic!("the rest is lost") };
        assert_eq!(rest, "four");
    }

    #[test]
    fn a_line_without_an_end_is_not_kept_for_ever() {
        let lines = Lines::new(mpsc::channel(1).0, Origin::new(&LogQuota::new(1000)));
        assert_eq!(text(lines.add(&[b'x'; CHUNK - 1])), None);
        assert_eq!(lines.add(b"x").map(|bytes| bytes.len()), Some(CHUNK));
    }
}
