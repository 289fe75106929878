use std::process::ExitCode;

use anyhow::{Result, bail};
use slight_runtime::{App, CodeCache, Host, Settings, Trigger};

use crate::{announcement::announcement, args, builtin, open_files, providers::Providers, settings, signals};

/// `slight run`
pub async fn run(args: args::Run) -> Result<ExitCode> {
    let kinds = builtin::kinds();
    let mut config = settings::load(args.app.config.as_deref(), &kinds)?;
    subscribe(&mut config, &args.app);
    let mut limits = settings::limits(&config);
    open_files::make_room(&mut limits);
    let app = App::load(&args.app.component, &limits, &CodeCache::User)?;
    app.check()?;
    check_subscriptions(&app, &config)?;

    let providers = Providers::connect(&config, &kinds).await?;
    let services = providers.services(&config)?;
    providers.create_groups(&config, &services).await?;

    let host = Host::new(
        &app,
        Settings {
            services,
            limits,
            environment: settings::environment(&config, &args),
            listen: args.listen.unwrap_or(config.http.listen),
            reuse: settings::reuse(&config),
            subscriptions: settings::subscriptions(&config),
        },
    )?;
    let stop = signals::listen()?;
    // A command speaks for itself, and its standard error is its own.
    let serves = app.has(Trigger::Http) || app.has(Trigger::Messages);
    if serves {
        tracing::info!("{}", announcement(&app, &config));
    }
    if let Some(address) = host.address() {
        tracing::info!("serving HTTP on http://{address}/");
    }
    // A child, since the host cancels what it is given when it ends by itself.
    let code = host.run(stop.token.child_token()).await?;
    if serves {
        stop.told().await;
        tracing::info!("stopped");
    }
    Ok(ExitCode::from(code))
}

/// Adds the subscriptions of the command line.
pub fn subscribe(config: &mut slight_config::Config, args: &args::App) {
    /// The group of topics that are named on the command line.
    const GROUP: &str = "default";
    if !args.subscribe.is_empty() {
        config.subscriptions.push(slight_config::Subscription::new(args.subscribe.iter().cloned(), GROUP));
    }
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
