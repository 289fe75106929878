use std::{net::SocketAddr, path::PathBuf};

use clap::{Parser, Subcommand, ValueEnum};
use slight_runtime::Trigger;

/// Runs a WebAssembly component and gives it key-value, blob storage, messaging, configuration and HTTP through the
/// standard WASI interfaces. The backend behind each is chosen by a TOML file.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
pub struct Args {
    /// How the log on stderr is written. What is logged is set by the environment variable SLIGHT_LOG, for example
    /// `debug` or `warn,guest=trace`.
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// A JSON object a line.
    Json,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a component: its handlers on every HTTP request and message, or its command once if it has no handler
    #[command(after_help = "Examples:\n  \
        slight run app.wasm\n  \
        slight run app.wasm -c azure.toml --listen 0.0.0.0:8080\n  \
        slight run handler.wasm --subscribe orders\n  \
        slight run report.wasm --env REGION=eu -- --from 2026-01-01")]
    Run(App),
    /// Say which import is met by which provider, and whether each backend answers. Nothing is run and nothing made. Takes
    /// what `run` takes
    #[command(after_help = "Examples:\n  slight check app.wasm\n  slight check app.wasm -c azure.toml")]
    Check(App),
    /// About the configuration file
    #[command(subcommand)]
    Config(ConfigCommand),
}

/// What to run, and with what.
#[derive(Debug, clap::Args)]
pub struct App {
    /// The component, a .wasm file
    pub component: PathBuf,
    /// The configuration. Without one, every name leads to the memory of the process, which is gone when it ends
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Deliver a topic to the component's message handler, in the group `default`; can be repeated. Only without a
    /// configuration file, which says it in [[messaging.subscriptions]]
    #[arg(long, value_name = "TOPIC", conflicts_with = "config")]
    pub subscribe: Vec<String>,
    /// Serve HTTP here instead of where the configuration says. Port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", value_parser = slight_config::listen_address)]
    pub listen: Option<SocketAddr>,
    /// Run this of what the component exports, in place of the default (its handlers; its command if it has none), and of
    /// `triggers` in `[component]`; can be repeated
    #[arg(long, value_name = "TRIGGER", value_enum)]
    pub trigger: Vec<TriggerName>,
    /// Set an environment variable for the component; can be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    pub env: Vec<(String, String)>,
    /// Arguments for the component's command
    #[arg(last = true)]
    pub args: Vec<String>,
}

impl App {
    /// What is chosen to run on, if anything is.
    pub fn triggers(&self) -> Vec<Trigger> {
        self.trigger.iter().map(|trigger| (*trigger).into()).collect()
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum TriggerName {
    /// Its command, once (wasi:cli/run).
    Command,
    /// HTTP requests (wasi:http/incoming-handler, wasi:http/handler).
    Http,
    /// Messages of the subscriptions (wasi:messaging/incoming-handler).
    Messaging,
}

impl From<TriggerName> for Trigger {
    fn from(name: TriggerName) -> Self {
        match name {
            TriggerName::Command => Self::Command,
            TriggerName::Http => Self::Http,
            TriggerName::Messaging => Self::Messages,
        }
    }
}

#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Print the JSON schema of the configuration file, for editors
    Schema,
}

fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        super::Args::command().debug_assert();
    }
}
