//! Where the messages of an HTTP/1 connection begin and end, before hyper reads them.
//!
//! hyper reads what RFC 9112 lets a recipient repair: lines that end with LF alone (section 2.2), and a `Content-Length`
//! beside a `Transfer-Encoding` (section 6.3). A proxy in front may read it otherwise, and then it takes a part of one
//! client's request for the request of another. What could be read in two ways is refused here, so that what is left is
//! read in one.

/// Follows what a client sends.
pub(super) struct Framing {
    state: State,
    line: Line,
    head: Head,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Up to the empty line after the fields.
    Head,
    /// So many bytes of a body.
    Body(u64),
    ChunkSize,
    Chunk(u64),
    ChunkEnd,
    Trailers,
    /// No HTTP/1: nothing is looked at.
    Other,
}

/// What cannot be read in one way only.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ambiguous {
    /// In the head of a request, at this byte of those that were given.
    Head(usize),
    /// In a body.
    Body,
}

/// What is known of the head that is being read.
#[derive(Default)]
struct Head {
    /// There was a request line.
    begun: bool,
    length: Option<u64>,
    /// Whether the last transfer coding is `chunked`; none without any.
    chunked: Option<bool>,
}

/// The begin of HTTP/2 (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0";

impl Framing {
    pub fn new() -> Self {
        Self { state: State::Head, line: Line::default(), head: Head::default() }
    }

    /// Whether part of a head has come, and not the rest.
    pub fn is_within_head(&self) -> bool {
        self.state == State::Head && (self.head.begun || self.line.length > 0)
    }

    /// Looks at the next bytes.
    ///
    /// # Errors
    /// `Ambiguous`. Nothing after it can be understood.
    pub fn follow(&mut self, bytes: &[u8]) -> Result<(), Ambiguous> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let taken = match self.state {
                State::Other => return Ok(()),
                State::Body(left) | State::Chunk(left) => self.pass(left, rest.len()),
                _ => self.follow_line(rest, bytes.len() - rest.len())?,
            };
            rest = rest.get(taken..).unwrap_or_default();
        }
        Ok(())
    }

    /// Passes over a body; how much of it is here.
    fn pass(&mut self, left: u64, available: usize) -> usize {
        let taken = usize::try_from(left).unwrap_or(usize::MAX).min(available);
        let left = left - taken as u64;
        self.state = match self.state {
            State::Body(_) if left == 0 => State::Head,
            State::Body(_) => State::Body(left),
            _ if left == 0 => State::ChunkEnd,
            _ => State::Chunk(left),
        };
        taken
    }

    /// Follows a line to its end, or to that of what is here; how much of it is. `offset` is where `bytes` begin.
    fn follow_line(&mut self, bytes: &[u8], offset: usize) -> Result<usize, Ambiguous> {
        let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
            self.line.extend(bytes);
            return Ok(bytes.len());
        };
        let (line, _) = bytes.split_at(end);
        let fault = if self.state == State::Head { Ambiguous::Head(offset + end) } else { Ambiguous::Body };
        let (state, head) = (self.state, &mut self.head);
        let next = if self.line.length == 0 {
            // All of it is here, as mostly.
            line.strip_suffix(b"\r").and_then(|line| next(state, head, line, end <= Line::LONGEST))
        } else {
            self.line.extend(line);
            self.line.text().and_then(|line| next(state, head, line, self.line.is_whole()))
        };
        self.state = next.ok_or(fault)?;
        self.line.clear();
        Ok(end + 1)
    }
}

/// What comes after a line; none if it can be read in several ways.
fn next(state: State, head: &mut Head, line: &[u8], is_whole: bool) -> Option<State> {
    match (state, line) {
        (State::Head, b"") if !head.begun => Some(State::Head),
        (State::Head, b"") => std::mem::take(head).body(),
        (State::Head, line) if !head.begun => {
            head.begun = true;
            Some(if line == PREFACE { State::Other } else { State::Head })
        }
        (State::Head, field) => head.field(field, is_whole).map(|()| State::Head),
        (State::ChunkSize, line) => match chunk_size(line)? {
            0 => Some(State::Trailers),
            size => Some(State::Chunk(size)),
        },
        (State::ChunkEnd, b"") => Some(State::ChunkSize),
        (State::Trailers, b"") => Some(State::Head),
        (State::Trailers, _) => Some(State::Trailers),
        _ => None,
    }
}

impl Head {
    fn field(&mut self, field: &[u8], is_whole: bool) -> Option<()> {
        let colon = field.iter().position(|byte| *byte == b':').unwrap_or(field.len());
        let (name, value) = field.split_at(colon);
        let (is_length, is_coding) =
            (name.eq_ignore_ascii_case(b"content-length"), name.eq_ignore_ascii_case(b"transfer-encoding"));
        if !is_length && !is_coding {
            return Some(());
        }
        // Neither needs a line that is longer than what is kept.
        let value = value.get(1..).filter(|_| is_whole)?;
        if is_length {
            let length = length(value)?;
            self.length.replace(length).is_none_or(|other| other == length).then_some(())
        } else {
            let last = value.rsplit(|byte| *byte == b',').next()?;
            self.chunked = Some(last.trim_ascii().eq_ignore_ascii_case(b"chunked"));
            Some(())
        }
    }

    /// How the body that follows is framed (RFC 9112, section 6.3).
    fn body(self) -> Option<State> {
        match (self.chunked, self.length) {
            (None, None | Some(0)) => Some(State::Head),
            (None, Some(length)) => Some(State::Body(length)),
            (Some(true), None) => Some(State::ChunkSize),
            (Some(false), _) | (Some(true), Some(_)) => None,
        }
    }
}

fn length(value: &[u8]) -> Option<u64> {
    let value = value.trim_ascii();
    let digits = value.iter().all(u8::is_ascii_digit).then_some(value)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn chunk_size(line: &[u8]) -> Option<u64> {
    let size = line.split(|byte| *byte == b';').next()?.trim_ascii_end();
    let digits = size.iter().all(u8::is_ascii_hexdigit).then_some(size)?;
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// The line that is being read. Of a long one the begin is enough.
#[derive(Default)]
struct Line {
    begin: Vec<u8>,
    length: usize,
    last: u8,
}

impl Line {
    /// Longer lines say nothing that matters here.
    const LONGEST: usize = 256;

    fn extend(&mut self, bytes: &[u8]) {
        let room = Self::LONGEST - self.begin.len().min(Self::LONGEST);
        self.begin.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        self.length += bytes.len();
        self.last = bytes.last().copied().unwrap_or(self.last);
    }

    /// Its begin, without CR; none unless it ended with CR.
    fn text(&self) -> Option<&[u8]> {
        if self.last != b'\r' || self.length == 0 {
            return None;
        }
        Some(if self.is_whole() { self.begin.strip_suffix(b"\r").unwrap_or(&self.begin) } else { &self.begin })
    }

    fn is_whole(&self) -> bool {
        self.length <= Self::LONGEST
    }

    fn clear(&mut self) {
        self.begin.clear();
        self.length = 0;
        self.last = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Follows it in one piece, and byte by byte.
    fn follow(text: &str) -> Result<State, Option<usize>> {
        let whole = state_after(&[text.as_bytes()]);
        let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
        assert_eq!(whole.is_ok(), state_after(&bytes).is_ok(), "{text:?}");
        whole
    }

    fn state_after(pieces: &[&[u8]]) -> Result<State, Option<usize>> {
        let mut framing = Framing::new();
        for piece in pieces {
            framing.follow(piece).map_err(|ambiguous| match ambiguous {
                Ambiguous::Head(at) => Some(at),
                Ambiguous::Body => None,
            })?;
        }
        Ok(framing.state)
    }

    #[test]
    fn messages_follow_each_other() {
        for text in [
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\na\nbGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 0\r\ncontent-length: 0\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n3;x=y\r\na\nb\r\n0a \r\n0123456789\r\n0\r\nx: y\r\n\r\n",
        ] {
            assert_eq!(follow(text), Ok(State::Head), "{text:?}");
        }
        assert_eq!(follow("POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\na"), Ok(State::Body(2)));
        assert_eq!(follow("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\n"), Ok(State::Other));
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_told_by_its_place() {
        for text in [
            "GET / HTTP/1.1\n",
            "GET / HTTP/1.1\r\nHost: a\n",
            "GET / HTTP/1.1\r\nHost: a\r\n\n",
            "POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked, identity\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 3, 3\r\n",
            "POST / HTTP/1.1\r\nContent-Length: +3\r\n",
            "POST / HTTP/1.1\r\nContent-Length: \r\n",
            "POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n",
        ] {
            assert_eq!(follow(text), Err(Some(text.len() - 1)), "{text:?}");
        }
        let long = format!("POST / HTTP/1.1\r\ncontent-length: {}3\r\n", " ".repeat(300));
        assert_eq!(follow(&long), Err(Some(long.len() - 1)));
    }

    #[test]
    fn a_body_that_breaks_off_its_framing_is_told() {
        for chunks in ["3\nabc\r\n", "x\r\n", "3\r\nabcd\r\n", "3\r\nabc\n", "\r\n", "-3\r\n", "0\r\nx: y\n"] {
            let text = format!("POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n{chunks}");
            assert_eq!(follow(&text), Err(None), "{text:?}");
        }
    }
}
