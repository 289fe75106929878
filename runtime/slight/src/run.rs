use std::process::ExitCode;

use anyhow::Result;

use crate::{App, Component, Kinds, args, inherited::Inherited, open_files, settings, signals};

/// `slight run`
pub async fn run(kinds: Kinds, args: args::App, inherited: Inherited) -> Result<ExitCode> {
    let mut config = settings::load(&args, &kinds)?;
    open_files::make_room(&mut config.limits);
    let app = App {
        triggers: args.triggers(),
        env: args.env,
        args: args.args,
        listener: inherited.into_listener()?,
        ..App::new(kinds, config, Component::from_file(args.component))
    };
    let app = app.prepare().await?;
    let stop = signals::listen(if app.serves {
        "draining, so that running requests and messages can finish"
    } else {
        "the command is ended"
    })?;
    let ended = app.start(stop.tokens.clone()).wait().await?;
    Ok(ExitCode::from(ended.unwrap_or_else(|| stop.code())))
}
