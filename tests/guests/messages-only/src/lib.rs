//! Exports nothing but `wasi:messaging/incoming-handler`; prints `<topic> <data>` for each message.

use exports::wasi::messaging::incoming_handler::{Error, Guest, Message};

wit_bindgen::generate!({
    path: "../../../wit/messaging-0.2.0-draft",
    inline: "
        package test:messages-only;

        world handler {
            export wasi:messaging/incoming-handler@0.2.0-draft;
        }
    ",
    world: "test:messages-only/handler",
    generate_all,
});

struct Handler;

impl Guest for Handler {
    fn handle(message: Message) -> Result<(), Error> {
        let topic = message.topic().unwrap_or_default();
        println!("{topic} {}", String::from_utf8_lossy(&message.data()));
        Ok(())
    }
}

export!(Handler);
