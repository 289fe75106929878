//! How a message is written for NATS: the body as it is, and what else it has in headers, to be read by people as well.
//!
//! Headers hold no line breaks and no spaces around their values, and the client keeps their order only among those of
//! one name. Hence names and values are written as a web form would (`a=1&b=two+words`): to at most three times their
//! size, so that what is guaranteed to fit does. A stream takes 64 KiB of headers: larger ones stand at the beginning of
//! the body.

use async_nats::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use bytes::Bytes;
use form_urlencoded::{Serializer, byte_serialize, parse};
use slight_capabilities::{Message, ReplyTo};

const CONTENT_TYPE: &str = "Content-Type";
/// Instead of the former where it is no ordinary media type.
const ODD_CONTENT_TYPE: &str = "Slight-Content-Type";
const METADATA: &str = "Slight-Metadata";
/// Where replies go.
const REPLY: &str = "Slight-Reply-To";

/// Says how many bytes of headers the body begins with.
const IN_BODY: &str = "Slight-Headers-In-Body";

/// How many bytes of headers stand before the body, where they belong. The rest of the 64 KiB is for those of the stream.
const MOST: usize = 48 * 1024;

/// The headers and the body.
pub(super) fn write(message: Message) -> (HeaderMap, Bytes) {
    let (headers, data) = apart(message);
    let lines = lines(&headers);
    if lines.len() <= MOST {
        return (headers, data);
    }
    let mut headers = HeaderMap::new();
    headers.insert(IN_BODY, HeaderValue::from(lines.len()));
    (headers, [lines.as_bytes(), &data].concat().into())
}

/// Reads what [`write()`] wrote. What another program has sent is read as far as it can be.
pub(super) fn read(headers: Option<&HeaderMap>, mut data: Bytes) -> Message {
    let in_body = headers.and_then(|headers| headers.get(IN_BODY)?.as_str().parse().ok());
    match in_body.filter(|length| *length <= data.len()) {
        Some(length) => {
            let lines = data.split_to(length);
            together(Some(&parsed(&String::from_utf8_lossy(&lines))), data)
        }
        None => together(headers, data),
    }
}

/// Headers as NATS writes them.
fn lines(headers: &HeaderMap) -> String {
    let line = |(name, values): (&async_nats::HeaderName, &Vec<HeaderValue>)| {
        values.iter().map(|value| format!("{}: {}\r\n", AsRef::<str>::as_ref(name), value.as_str())).collect::<String>()
    };
    headers.iter().map(line).collect()
}

fn parsed(lines: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, text) in lines.lines().filter_map(|line| line.split_once(':')) {
        // Another program may have written them.
        if let Ok(name) = name.parse::<HeaderName>() {
            headers.append(name, value(text.strip_prefix(' ').unwrap_or(text)));
        }
    }
    headers
}

/// What the headers are as NATS has them, before the first one.
const VERSION: &str = "NATS/1.0";

/// Whether the client of NATS can read these headers of a message.
pub(super) fn is_readable(headers: &[u8]) -> bool {
    let Ok(headers) = std::str::from_utf8(headers) else { return false };
    let mut lines = headers.lines();
    let Some(status) = lines.next().map(|first| first.strip_prefix(VERSION).map(str::trim)) else { return true };
    let status_is = |status: &str| {
        let number = status.split(' ').next().unwrap_or_default();
        number.is_empty() || number.parse::<StatusCode>().is_ok()
    };
    let is_header = |line: &str| {
        let further = line.is_empty() || line.starts_with(char::is_whitespace);
        let named = line.split_once(':').is_some_and(|(name, _)| name.parse::<HeaderName>().is_ok());
        (further || named) && !line.contains('\r')
    };
    status.is_some_and(status_is) && lines.all(is_header)
}

/// Reads, as far as it can be, a message whose headers the client of NATS cannot read.
pub(super) fn read_anyway(headers: &[u8], data: Bytes) -> Message {
    read(Some(&parsed(&String::from_utf8_lossy(headers))), data)
}

fn apart(message: Message) -> (HeaderMap, Bytes) {
    let mut headers = HeaderMap::new();
    match &message.content_type {
        Some(plain) if is_plain(plain) => headers.insert(CONTENT_TYPE, value(plain)),
        Some(odd) => headers.insert(ODD_CONTENT_TYPE, value(&byte_serialize(odd.as_bytes()).collect::<String>())),
        None => {}
    }
    if !message.metadata.is_empty() {
        headers.insert(METADATA, value(&form(&message.metadata)));
    }
    if let Some(ReplyTo { inbox, correlation }) = message.reply_to {
        headers.insert(REPLY, value(&form(&[(inbox, correlation)])));
    }
    (headers, message.data)
}

fn together(headers: Option<&HeaderMap>, data: Bytes) -> Message {
    let text = |name: &str| headers?.get(name).map(|value| value.as_str());
    let odd = text(ODD_CONTENT_TYPE).map(|odd| decoded(&format!("={odd}")).pop().unwrap_or_default().1);
    let reply = text(REPLY).and_then(|reply| decoded(reply).pop());
    Message {
        data,
        content_type: odd.or_else(|| text(CONTENT_TYPE).map(str::to_owned)),
        metadata: text(METADATA).map(decoded).unwrap_or_default(),
        reply_to: reply.map(|(inbox, correlation)| ReplyTo { inbox, correlation }),
    }
}

fn form(pairs: &[(String, String)]) -> String {
    Serializer::new(String::new()).extend_pairs(pairs).finish()
}

fn decoded(form: &str) -> Vec<(String, String)> {
    parse(form.as_bytes()).into_owned().collect()
}

/// Neither empty nor with anything that a header changes.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.trim() == text && text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

/// What is written here has no line break.
fn value(text: &str) -> HeaderValue {
    text.parse().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comes_back(message: &Message) {
        let (headers, data) = write(message.clone());
        assert_eq!(&read(Some(&headers), data), message);
    }

    #[test]
    fn every_part_comes_back() {
        comes_back(&Message::default());
        let pairs = [("", ""), ("a", "1"), ("a", "=&+%\r\n"), ("é🦀", " x "), ("", "=")];
        comes_back(&Message {
            data: Bytes::from_static(b"\0\r\n"),
            content_type: Some("text/plain; charset=utf-8".into()),
            metadata: pairs.map(|(name, value)| (name.into(), value.into())).to_vec(),
            reply_to: Some(ReplyTo { inbox: "a".into(), correlation: "é*>\r\n&b=c".into() }),
        });
        for odd in ["", " ", "a\nb", " a", "é", "a&b=c+d", "%41"] {
            comes_back(&Message { content_type: Some(odd.into()), ..Message::default() });
        }
        comes_back(&Message { metadata: vec![(String::new(), String::new())], ..Message::default() });
    }

    #[test]
    fn headers_that_are_too_large_come_back_from_the_body() {
        let metadata = vec![("a: b".to_owned(), "\r\n".repeat(50_000)), ("a: b".to_owned(), "2".to_owned())];
        let reply_to = Some(ReplyTo { inbox: "a".into(), correlation: "b".into() });
        let large = Message { data: "data".into(), content_type: Some("a/b".into()), metadata, reply_to };
        comes_back(&large);
        let (headers, body) = write(large);
        assert!(lines(&headers).len() < 100 && body.ends_with(b"\r\ndata"));
        comes_back(&Message { content_type: Some("x".repeat(100_000)), ..Message::default() });
    }

    #[test]
    fn what_other_programs_write_is_read_as_far_as_it_can_be() {
        for odd in [
            &b"NATS/1.0\r\nA: \xff\r\n\r\n"[..],
            b"NATS/1.0\r\nA: 1\r2\r\n",
            b"NATS/1.0\r\nno colon\r\n",
            b"x",
            b"NATS/1.0 abc\r\n",
        ] {
            assert!(!is_readable(odd), "{odd:?}");
            assert_eq!(read_anyway(odd, "data".into()), Message { data: "data".into(), ..Message::default() });
        }
        for fine in
            [&b""[..], b"NATS/1.0\r\nA:1\r\n b\r\n\r\n", b"NATS/1.0 503 No\r\n\r\n", "NATS/1.0\r\nA: \u{e9}".as_bytes()]
        {
            assert!(is_readable(fine), "{fine:?}");
        }
        let lines = "\u{e9}: x\r\nno colon\r\n: y\r\nContent-Type: a/b\r\n";
        let mut headers = HeaderMap::new();
        headers.insert(IN_BODY, HeaderValue::from(lines.len()));
        let found = read(Some(&headers), format!("{lines}data").into());
        assert_eq!(found, Message { data: "data".into(), content_type: Some("a/b".into()), ..Message::default() });
    }

    #[test]
    fn a_message_without_headers_is_its_body() {
        assert_eq!(read(None, "x".into()), Message { data: "x".into(), ..Message::default() });
    }
}
