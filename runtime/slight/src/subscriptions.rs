//! What the exports of a component and the configuration say of each other.

use anyhow::{Result, bail};
use slight_config::Config;
use slight_runtime::{App, Trigger};

/// An export that its author expects to be called, and that nobody calls, beside some that are.
pub fn uncalled(app: &App) -> Option<String> {
    let exports = app.uncalled();
    (!exports.is_empty() && !app.triggers().is_empty())
        .then(|| format!("{} exports {}, which nothing here calls", app.path(), exports.join(", ")))
}

/// What a component has beside what it runs on, and how that would run.
pub fn not_run(trigger: Trigger) -> String {
    let name = trigger.name();
    match trigger {
        Trigger::Command => {
            format!("has a command as well, which does not run beside handlers; --trigger {name} runs it")
        }
        Trigger::Http | Trigger::Messages => {
            format!("has a handler for {name} as well, which was not chosen; --trigger {name} runs it")
        }
    }
}

/// A handler that nothing is delivered to is a mistake, and so is a subscription without a handler, unless it was not
/// chosen: another copy, with the same file, may run it.
pub fn check(app: &App, config: &Config) -> Result<()> {
    let path = app.path();
    match (app.has(Trigger::Messages), config.subscriptions.is_empty()) {
        (true, true) => bail!(
            "{path} handles messages, but no topic is subscribed to; add [[messaging.subscriptions]] to the \
             configuration, or give --subscribe TOPIC when there is none; or choose what else it runs on with --trigger"
        ),
        (false, false) if app.spare_triggers().any(|trigger| trigger == Trigger::Messages) => Ok(()),
        (false, false) => bail!(
            "there are subscriptions, but {path} does not export wasi:messaging/incoming-handler@0.2.0-draft; remove \
             them, or run the component that handles the messages"
        ),
        _ => Ok(()),
    }
}
