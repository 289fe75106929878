//! The receiving side: does with each message what the message's metadata asks for.

use crate::exports::wasi::messaging::incoming_handler::{Error, Guest, Message};
use crate::wasi::messaging::request_reply;
use crate::{MessageHandler, record};
use std::time::Duration;

impl Guest for MessageHandler {
    fn handle(message: Message) -> Result<(), Error> {
        let id = match setting(&message, "id") {
            Some(id) => id,
            None => record::next_id().map_err(failed)?,
        };
        let count = record::keep(&id, &message).map_err(failed)?;
        let action = setting(&message, "do").unwrap_or_default();
        let (action, argument) = action.split_once(':').unwrap_or((&action, ""));
        match action {
            "" | "ack" => Ok(()),
            "error" if argument.parse().is_ok_and(|times: i64| count > times) => Ok(()),
            "error" => Err(Error::Other("the message asked for an error".into())),
            "trap" if argument.parse().is_ok_and(|times: i64| count > times) => Ok(()),
            "trap" => panic!("the message asked for a trap"),
            "loop" => loop {
                std::hint::black_box(());
            },
            "sleep" => {
                std::thread::sleep(Duration::from_millis(argument.parse().unwrap_or(0)));
                Ok(())
            }
            "reply" => reply(&message, argument.parse().unwrap_or(1)),
            _ => Err(Error::Other(format!("the message asked for `{action}`, which nobody knows"))),
        }
    }
}

/// Answers with the data in capitals, `count` times; each reply says in its metadata which one it is.
fn reply(message: &Message, count: u32) -> Result<(), Error> {
    for number in 1..=count {
        let answer = Message::new(&message.data().to_ascii_uppercase());
        answer.set_content_type("text/plain");
        answer.add_metadata("number", &number.to_string());
        request_reply::reply(message, answer)?;
    }
    Ok(())
}

fn setting(message: &Message, name: &str) -> Option<String> {
    let metadata = message.metadata()?;
    metadata.into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
}

fn failed(error: crate::wasi::keyvalue::store::Error) -> Error {
    Error::Other(format!("the record could not be kept: {error:?}"))
}
