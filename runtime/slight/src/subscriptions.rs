//! Subscriptions: those of `--subscribe`, and whether they and what a component exports fit each other.

use anyhow::{Result, anyhow, bail};
use slight_capabilities::check_name;
use slight_config::{Config, Subscription};
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

/// The group of topics that are named on the command line.
const GROUP: &str = "default";

/// The subscription to topics of the command line, held against the rules that those of a file have.
///
/// # Errors
/// The first rule that is broken, with the topic.
pub fn of_command_line(topics: &[String]) -> Result<Subscription> {
    let subscription = Subscription::new(topics, GROUP);
    for (index, topic) in topics.iter().enumerate() {
        check_name("topic name", topic).map_err(|error| anyhow!("--subscribe {topic:?}: {error}"))?;
        if topics.iter().take(index).any(|earlier| earlier == topic) {
            bail!("--subscribe {topic:?} is given twice; give each topic once");
        }
        let dead_letter = subscription.dead_letter_topic(topic);
        check_name(&format!("dead-letter topic <topic>.{GROUP}.dead"), &dead_letter).map_err(|error| {
            anyhow!(
                "--subscribe {topic:?}: {error}; shorten the topic, or give another dead-letter topic in a configuration \
                 file"
            )
        })?;
        if topics.contains(&dead_letter) {
            bail!(
                "--subscribe {dead_letter:?}: this is the dead-letter topic of {topic:?}, and its messages would go round; \
                 leave it out, or subscribe to it in another group in a configuration file"
            );
        }
    }
    Ok(subscription)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(topics: &[&str]) -> Option<String> {
        let topics: Vec<String> = topics.iter().copied().map(str::to_owned).collect();
        of_command_line(&topics).err().map(|error| error.to_string())
    }

    #[test]
    fn topics_of_the_command_line_have_the_rules_of_the_file() {
        assert_eq!(refusal(&["a", "b", "a.default", "a.other.dead"]), None);
        for (topics, part) in [
            (&["a", ""][..], "--subscribe \"\": the topic name is empty"),
            (&[&"t".repeat(129)], "the topic name has 129 bytes; it may have at most 128"),
            (&["a", "b", "a"], "--subscribe \"a\" is given twice"),
            (&[&"t".repeat(116)], "<topic>.default.dead has 129 bytes; it may have at most 128; shorten the topic"),
            (&["a.default.dead", "a"], "--subscribe \"a.default.dead\": this is the dead-letter topic of \"a\""),
        ] {
            let refusal = refusal(topics).unwrap_or_default();
            assert!(refusal.contains(part), "{part} is missing in {refusal:?}");
        }
        assert_eq!(refusal(&[&"t".repeat(115)]), None);
    }
}
