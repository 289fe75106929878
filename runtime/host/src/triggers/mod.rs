//! What makes a guest run: the command line, an HTTP request, a message.

pub(crate) mod command;
pub(crate) mod http;
pub(crate) mod messages;
