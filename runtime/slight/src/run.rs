use std::{process::ExitCode, time::Duration};

use anyhow::{Result, bail};
use slight_runtime::{App, CodeCache, Host, Settings, Trigger};

use crate::{
    announcement::announcement, args, builtin, inherited::Inherited, memory::Memory, open_files, providers::Providers,
    settings, signals,
};

/// How long providers may take at the very end.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// `slight run`
pub async fn run(args: args::App, inherited: Inherited) -> Result<ExitCode> {
    let kinds = builtin::kinds();
    let config = settings::load(&args, &kinds)?;
    let mut limits = settings::limits(&config);
    open_files::make_room(&mut limits);
    let mut app = App::load(&args.component, &limits, &CodeCache::User)?;
    settings::choose_triggers(&mut app, &config, &args);
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
            http: settings::http(&config, inherited.into_listener()?),
            subscriptions: settings::subscriptions(&config),
        },
    )?;
    // A command speaks for itself, and its standard error is its own.
    let serves = app.has(Trigger::Http) || app.has(Trigger::Messages);
    let stop = signals::listen(if serves {
        "draining, so that running requests and messages can finish"
    } else {
        "the command is ended"
    })?;
    if serves {
        tracing::info!("{}", announcement(&app, &config));
        for spare in app.spare_triggers() {
            tracing::info!("{} {}", app.path(), not_run(spare));
        }
        tracing::info!("memory: {} (limits.total-memory)", Memory::of(config.limits.total_memory).described);
    }
    if let Some(address) = host.address() {
        tracing::info!("serving HTTP on http://{address}/");
    }
    let ended = host.run(stop.tokens.clone()).await?;
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
pub fn check_subscriptions(app: &App, config: &slight_config::Config) -> Result<()> {
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
