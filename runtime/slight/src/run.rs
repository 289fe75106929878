use std::{process::ExitCode, time::Duration};

use anyhow::{Result, bail};
use slight_runtime::{App, CodeCache, Host, Settings, Trigger};

use crate::{
    announcement::announcement, args, builtin, memory::Memory, open_files, providers::Providers, settings, signals,
};

/// How long providers may take at the very end.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// `slight run`
pub async fn run(args: args::App) -> Result<ExitCode> {
    let kinds = builtin::kinds();
    let config = settings::load(&args, &kinds)?;
    let mut limits = settings::limits(&config);
    open_files::make_room(&mut limits);
    let app = App::load(&args.component, &limits, &CodeCache::User)?;
    app.check()?;
    check_subscriptions(&app, &config)?;

    uncalled(&app).iter().for_each(|warning| tracing::warn!("{warning}"));

    let providers = Providers::connect(&config, &kinds).await?;
    let services = providers.services(&config)?;
    providers.create_groups(&config, &services).await?;

    let host = Host::new(
        &app,
        Settings {
            services,
            limits,
            environment: settings::environment(&config, &args),
            listen: config.http.listen,
            reuse: settings::reuse(&config),
            subscriptions: settings::subscriptions(&config),
        },
    )?;
    // A command speaks for itself, and its standard error is its own.
    let serves = app.has(Trigger::Http) || app.has(Trigger::Messages);
    let stop = signals::listen(if serves {
        "no new work is begun, running requests and messages may finish"
    } else {
        "the command is ended"
    })?;
    if serves {
        tracing::info!("{}", announcement(&app, &config));
        tracing::info!("memory: {} (limits.total-memory)", Memory::of(config.limits.total_memory).described);
    }
    if let Some(address) = host.address() {
        tracing::info!("serving HTTP on http://{address}/");
    }
    // A child, since the host cancels what it is given when it ends by itself.
    let ended = host.run(stop.token.child_token()).await?;
    // What was leased and not begun is another's at once.
    let _ = tokio::time::timeout(LAST_WORDS, slight_handover::given_back()).await;
    if serves {
        tracing::info!("stopped");
    }
    Ok(ExitCode::from(ended.unwrap_or_else(|| stop.code())))
}

/// An export that its author expects to be called, and that nobody calls, beside some that are.
pub fn uncalled(app: &App) -> Option<String> {
    let exports = app.uncalled();
    (!exports.is_empty() && !app.triggers().is_empty())
        .then(|| format!("{} exports {}, which nothing here calls", app.path(), exports.join(", ")))
}

/// A handler that nothing is delivered to is a mistake, and so is a subscription without a handler.
pub fn check_subscriptions(app: &App, config: &slight_config::Config) -> Result<()> {
    let path = app.path();
    match (app.has(Trigger::Messages), config.subscriptions.is_empty()) {
        (true, true) => bail!(
            "{path} handles messages, but no topic is subscribed to; add [[messaging.subscriptions]] to the \
             configuration, or give --subscribe TOPIC when there is none"
        ),
        (false, false) => bail!(
            "there are subscriptions, but {path} does not export wasi:messaging/incoming-handler@0.2.0-draft; remove \
             them, or run the component that handles the messages"
        ),
        _ => Ok(()),
    }
}
