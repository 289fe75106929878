//! As much of HTTP/1.1 as it takes to see where one message ends and the next begins.

use std::io::{self, BufRead, Read, Write};

/// The first line and the headers of a request or a response.
pub(crate) struct Head {
    /// As they came, with the empty line.
    pub(crate) bytes: Vec<u8>,
    lines: Vec<String>,
}

/// How the end of a body is known.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    Known(u64),
    Chunked,
    UntilEnd,
}

impl Head {
    /// `None` when the connection has ended before a first line.
    pub(crate) fn read(reader: &mut impl BufRead) -> io::Result<Option<Self>> {
        let mut bytes = Vec::new();
        let mut lines = Vec::new();
        loop {
            let start = bytes.len();
            if reader.read_until(b'\n', &mut bytes)? == 0 {
                return if bytes.is_empty() { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
            }
            let line = String::from_utf8_lossy(&bytes[start..]).trim_end().to_owned();
            if line.is_empty() {
                return Ok(Some(Self { bytes, lines }));
            }
            lines.push(line);
        }
    }

    /// Method and target.
    pub(crate) fn request(&self) -> Option<(&str, &str)> {
        let mut words = self.lines.first()?.split(' ');
        words.next().zip(words.next())
    }

    pub(crate) fn status(&self) -> Option<u16> {
        self.lines.first()?.split(' ').nth(1)?.parse().ok()
    }

    pub(crate) fn expects_continue(&self) -> bool {
        self.header("expect").is_some()
    }

    /// An answer before the answer, as `100 Continue`.
    pub(crate) fn is_interim(&self) -> bool {
        self.status().is_some_and(|status| status < 200)
    }

    pub(crate) fn request_length(&self) -> Length {
        self.length().unwrap_or(Length::Known(0))
    }

    pub(crate) fn response_length(&self) -> Length {
        match self.status() {
            Some(204 | 304) => Length::Known(0),
            _ => self.length().unwrap_or(Length::UntilEnd),
        }
    }

    fn length(&self) -> Option<Length> {
        let is_chunked = |codings: &str| codings.to_ascii_lowercase().contains("chunked");
        if self.header("transfer-encoding").is_some_and(is_chunked) {
            return Some(Length::Chunked);
        }
        self.header("content-length")?.parse().ok().map(Length::Known)
    }

    fn header(&self, name: &str) -> Option<&str> {
        let headers = self.lines.iter().skip(1).filter_map(|line| line.split_once(':'));
        headers.into_iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }
}

/// Copies a body with its framing, and at most so many bytes of what is in it; false if there were more.
pub(crate) fn copy(from: &mut impl BufRead, to: &mut impl Write, length: Length, mut most: u64) -> io::Result<bool> {
    match length {
        Length::Known(length) => copy_exactly(from, to, length, &mut most),
        Length::UntilEnd => {
            io::copy(&mut from.take(most), to)?;
            Ok(from.fill_buf()?.is_empty())
        }
        Length::Chunked => loop {
            let mut line = Vec::new();
            from.read_until(b'\n', &mut line)?;
            to.write_all(&line)?;
            let text = String::from_utf8_lossy(&line);
            let digits = text.split(';').next().unwrap_or_default().trim();
            let size = u64::from_str_radix(digits, 16).map_err(io::Error::other)?;
            if size == 0 {
                return copy_trailers(from, to).map(|()| true);
            }
            if !copy_exactly(from, to, size, &mut most)? {
                return Ok(false);
            }
            // The line break after it.
            copy_exactly(from, to, 2, &mut 2)?;
        },
    }
}

fn copy_exactly(from: &mut impl BufRead, to: &mut impl Write, length: u64, most: &mut u64) -> io::Result<bool> {
    let allowed = length.min(*most);
    if io::copy(&mut from.take(allowed), to)? < allowed {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    *most -= allowed;
    Ok(allowed == length)
}

fn copy_trailers(from: &mut impl BufRead, to: &mut impl Write) -> io::Result<()> {
    loop {
        let mut line = Vec::new();
        from.read_until(b'\n', &mut line)?;
        to.write_all(&line)?;
        if line.is_empty() || line == b"\r\n" || line == b"\n" {
            return Ok(());
        }
    }
}
