//! What makes a guest run: the command line, an HTTP request, a message.

pub(crate) mod command;
pub(crate) mod http;
pub(crate) mod messages;

use wasmtime::{Result, component::InstancePre};
use wasmtime_wasi_http::{p2, p3};

use crate::{Trigger, bindings::message_handler::MessageHandlerPre, state::State};

/// Checks that what a component exports for a trigger has the functions that are called.
///
/// # Errors
/// Which one is missing.
pub(crate) fn check(trigger: Trigger, pre: &InstancePre<State>) -> Result<()> {
    let pre = pre.clone();
    match trigger {
        Trigger::Command => command::CommandPre::new(pre).map(drop),
        Trigger::Http if p3::bindings::ServicePre::new(pre.clone()).is_ok() => Ok(()),
        Trigger::Http => p2::bindings::ProxyPre::new(pre).map(drop),
        Trigger::Messages => MessageHandlerPre::new(pre).map(drop),
    }
}
