use bytes::{Buf, BufMut, Bytes};
use slight_capabilities::{Error, Message, ReplyTo, Result};

/// The largest message, by [`Message::size`] (1 GiB): what is read back is held in memory whole.
pub(crate) const MAX_MESSAGE_BYTES: usize = 1 << 30;

/// Begins every stored message, for the day when there is another form.
const FORM: u8 = 1;

/// Writes a message: the form, content type, reply address, metadata, then the body to the end. Texts have their length
/// before them as 32 bits, and what may be absent a byte that says whether it is there.
pub(super) fn encoded(message: &Message) -> Bytes {
    let mut out = Vec::with_capacity(message.size() + 64);
    out.put_u8(FORM);
    put_optional(&mut out, message.content_type.as_deref());
    put_optional(&mut out, message.reply_to.as_ref().map(|to| to.inbox.as_str()));
    put_optional(&mut out, message.reply_to.as_ref().map(|to| to.correlation.as_str()));
    put_length(&mut out, message.metadata.len());
    for (key, value) in &message.metadata {
        put_text(&mut out, key);
        put_text(&mut out, value);
    }
    out.put_slice(&message.data);
    out.into()
}

/// Reads what [`encoded`] wrote.
///
/// # Errors
/// `Other` for anything else.
pub(super) fn decoded(stored: Bytes) -> Result<Message> {
    read(stored).ok_or_else(|| {
        Error::other("a stored message cannot be read: it was written by a newer slight, or by another program")
    })
}

fn read(mut from: Bytes) -> Option<Message> {
    (from.try_get_u8().ok()? == FORM).then_some(())?;
    let content_type = get_optional(&mut from)?;
    let reply_to = match (get_optional(&mut from)?, get_optional(&mut from)?) {
        (Some(inbox), Some(correlation)) => Some(ReplyTo { inbox, correlation }),
        _ => None,
    };
    let mut metadata = Vec::new();
    for _ in 0..from.try_get_u32().ok()? {
        metadata.push((get_text(&mut from)?, get_text(&mut from)?));
    }
    Some(Message { data: from, content_type, metadata, reply_to })
}

fn put_length(out: &mut Vec<u8>, length: usize) {
    // Messages are checked to be far smaller than that.
    out.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put_length(out, text.len());
    out.put_slice(text.as_bytes());
}

fn put_optional(out: &mut Vec<u8>, text: Option<&str>) {
    out.put_u8(u8::from(text.is_some()));
    if let Some(text) = text {
        put_text(out, text);
    }
}

fn get_text(from: &mut Bytes) -> Option<String> {
    let length = usize::try_from(from.try_get_u32().ok()?).ok()?;
    if length > from.len() {
        return None;
    }
    String::from_utf8(from.split_to(length).into()).ok()
}

fn get_optional(from: &mut Bytes) -> Option<Option<String>> {
    match from.try_get_u8().ok()? {
        0 => Some(None),
        _ => get_text(from).map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Message {
        Message {
            data: Bytes::from_static(b"body"),
            content_type: Some("text/plain".into()),
            metadata: vec![("a".into(), "1".into()), (String::new(), String::new()), ("a".into(), "é".into())],
            reply_to: Some(ReplyTo { inbox: "inbox".into(), correlation: String::new() }),
        }
    }

    #[test]
    fn messages_come_back() {
        for message in [full(), Message::default(), Message { content_type: Some(String::new()), ..full() }] {
            assert_eq!(decoded(encoded(&message)).unwrap(), message);
        }
    }

    #[test]
    fn what_is_cut_in_its_head_is_an_error() {
        let whole = encoded(&full());
        for length in 0..whole.len() - full().data.len() {
            assert!(decoded(whole.slice(..length)).is_err(), "{length}");
        }
    }
}
