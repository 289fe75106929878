//! How a message is written: a line of JSON with all but the body, and the body. In a queue it is base64 of that, since a
//! message there is XML.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use slight_capabilities::{Error, Message, ReplyTo, Result};

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Header {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    /// A list, since names may come twice and the order counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    metadata: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    inbox: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    correlation: Option<String>,
    /// The blob that the message itself is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    blob: Option<String>,
}

/// What a queue holds.
pub(super) enum Held {
    Message(Message),
    /// The message is in this blob.
    Blob(String),
}

pub(super) fn write(message: Message) -> Result<Bytes> {
    let (inbox, correlation) = message.reply_to.map(|to| (to.inbox, to.correlation)).unzip();
    let header =
        Header { content_type: message.content_type, metadata: message.metadata, inbox, correlation, blob: None };
    line(&header).map(|mut line| {
        line.extend_from_slice(&message.data);
        line.into()
    })
}

/// What stands in a queue for a message that is in a blob.
pub(super) fn write_blob(name: &str) -> Result<Bytes> {
    line(&Header { blob: Some(name.to_owned()), ..Header::default() }).map(Bytes::from)
}

fn line(header: &Header) -> Result<Vec<u8>> {
    let written = serde_json::to_vec(header);
    let mut line = written.map_err(|error| Error::other("the metadata cannot be written").with_source(error))?;
    line.push(b'\n');
    Ok(line)
}

pub(super) fn to_text(envelope: &[u8]) -> String {
    STANDARD.encode(envelope)
}

/// Reads what is in a queue. What another program has put there is a body.
pub(super) fn read_text(text: &str) -> Held {
    match STANDARD.decode(text) {
        Ok(envelope) => read(envelope.into()),
        Err(_) => Held::Message(Message { data: Bytes::copy_from_slice(text.as_bytes()), ..Message::default() }),
    }
}

pub(super) fn read(envelope: Bytes) -> Held {
    let end = envelope.iter().position(|byte| *byte == b'\n');
    let header = end.and_then(|end| serde_json::from_slice::<Header>(envelope.get(..end)?).ok());
    let (Some(end), Some(header)) = (end, header) else {
        return Held::Message(Message { data: envelope, ..Message::default() });
    };
    if let Some(blob) = header.blob {
        return Held::Blob(blob);
    }
    Held::Message(Message {
        data: envelope.slice(end + 1..),
        content_type: header.content_type,
        metadata: header.metadata,
        reply_to: header.inbox.zip(header.correlation).map(|(inbox, correlation)| ReplyTo { inbox, correlation }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_other_programs_send_is_a_body() {
        for text in ["plain text", "{}", "AAAA"] {
            let Held::Message(message) = read_text(text) else { panic!("{text} is a blob") };
            let data = STANDARD.decode(text).unwrap_or_else(|_| text.as_bytes().to_vec());
            assert_eq!(message, Message { data: data.into(), ..Message::default() });
        }
    }
}
