//! What a queue gives, each message read by itself: what another program has put there stops none of its neighbours.

use azure_core::http::{Response, XmlFormat};
use azure_storage_queue::models::ReceivedMessages;
use slight_capabilities::{Error, Result};

/// A message that is leased to this process, as it is in the queue.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Received {
    pub(super) id: String,
    /// Tells who holds the message: every lease has another one.
    pub(super) receipt: String,
    /// How often it was leased.
    pub(super) leases: u32,
    pub(super) text: String,
}

/// Reads the answer to a request for messages. Not the SDK's model, which takes all of it for unreadable where one of
/// them is, and blanks from the ends of texts.
pub(super) fn read(answer: Response<ReceivedMessages, XmlFormat>) -> Vec<Result<Received>> {
    let body = answer.into_body();
    messages(&String::from_utf8_lossy(&body))
}

fn messages(answer: &str) -> Vec<Result<Received>> {
    answer.split("<QueueMessage>").skip(1).map(message).collect()
}

fn message(part: &str) -> Result<Received> {
    let (Some(id), Some(receipt)) = (field(part, "MessageId"), field(part, "PopReceipt")) else {
        return Err(Error::other("Azure gave a message without an ID or a receipt"));
    };
    let leases = field(part, "DequeueCount").and_then(|count| count.parse().ok()).unwrap_or(1);
    Ok(Received { id, receipt, leases, text: field(part, "MessageText").unwrap_or_default() })
}

/// The text of an element. What is written in it cannot look like a tag, since its `<` is escaped.
fn field(part: &str, name: &str) -> Option<String> {
    let (_, rest) = part.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    Some(unescaped(text))
}

/// What is no reference stays as it is.
fn unescaped(text: &str) -> String {
    let mut pieces = text.split('&');
    let mut plain = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        match piece.split_once(';').and_then(|(name, rest)| Some((character(name)?, rest))) {
            Some((character, rest)) => {
                plain.push(character);
                plain.push_str(rest);
            }
            None => {
                plain.push('&');
                plain.push_str(piece);
            }
        }
    }
    plain
}

fn character(name: &str) -> Option<char> {
    match name {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(digits) => u32::from_str_radix(digits, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_message_is_read_by_itself() {
        let answer = "<QueueMessagesList>\
            <QueueMessage><MessageId>1</MessageId><PopReceipt>a+b=</PopReceipt><DequeueCount>odd</DequeueCount>\
            <MessageText>  &lt;a&gt; &amp;&#xD;&#10; &odd; &  </MessageText></QueueMessage>\
            <QueueMessage><DequeueCount>2</DequeueCount></QueueMessage>\
            <QueueMessage><MessageId>3</MessageId><PopReceipt>c</PopReceipt><ExpirationTime>never</ExpirationTime>\
            <DequeueCount>3</DequeueCount><MessageText/></QueueMessage></QueueMessagesList>";
        let read = messages(answer);
        let found = |id: &str, receipt: &str, leases, text: &str| Received {
            id: id.into(),
            receipt: receipt.into(),
            leases,
            text: text.into(),
        };
        assert_eq!(read[0].as_ref().unwrap(), &found("1", "a+b=", 1, "  <a> &\r\n &odd; &  "));
        assert!(read[1].is_err());
        assert_eq!(read[2].as_ref().unwrap(), &found("3", "c", 3, ""));
        assert_eq!(read.len(), 3);
    }
}
