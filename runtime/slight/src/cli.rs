//! The command line.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use anyhow::Context;
use clap::Parser;

use crate::{
    Kinds,
    args::{Args, Command, ConfigCommand, LogFormat},
    check,
    inherited::Inherited,
    logs, memory, output, run,
};

/// After so many tasks a thread looks for what sockets and timers have to say. A task may be a guest that runs for a
/// millisecond, or passes as much to the host as it may: tokio's own 61 of these would be what each client waits for.
const EVENT_INTERVAL: u32 = 4;

/// The command line of slight: `run`, `check` and `config schema`, for any kinds of providers.
#[derive(Debug)]
pub struct Cli {
    kinds: Kinds,
}

impl Cli {
    /// A command line for configurations that may name these kinds of providers.
    pub fn new(kinds: Kinds) -> Self {
        Self { kinds }
    }

    /// All of a program's `main`: reads the arguments of the process, starts the log on standard error and a runtime, does
    /// what it is told, and gives the exit code. To be called first, while there is no other thread: it takes `LISTEN_FDS`
    /// out of the environment.
    pub fn main(self) -> ExitCode {
        let inherited = Inherited::take();
        let args = match Args::try_parse() {
            Ok(args) => args,
            Err(text) => return say_and_end(&text),
        };
        let format = args.log_format;
        let ended = logs::start(format).context("cannot start the log").and_then(|()| match args.command {
            Command::Run(args) => within_runtime(run::run(self.kinds, args, inherited)),
            Command::Check(args) => within_runtime(check::check(self.kinds, args, format)),
            Command::Config(ConfigCommand::Schema) => print_schema(&self.kinds),
        });
        let code = ended.unwrap_or_else(|error| {
            output::complain(format, &error);
            ExitCode::FAILURE
        });
        logs::flush();
        code
    }
}

/// What the command line asks for instead of a command, such as the version, or what is wrong with it. clap's own way takes
/// no notice of an output that is full.
fn say_and_end(text: &clap::Error) -> ExitCode {
    let code = ExitCode::from(u8::try_from(text.exit_code()).unwrap_or(2));
    match output::done(text.print().and_then(|()| io::stdout().flush())) {
        Err(error) if !text.use_stderr() => {
            output::complain(LogFormat::Text, &error);
            ExitCode::FAILURE
        }
        _ => code,
    }
}

fn within_runtime(command: impl Future<Output = anyhow::Result<ExitCode>>) -> anyhow::Result<ExitCode> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.enable_all().event_interval(EVENT_INTERVAL).build()?;
    memory::give_back_what_is_free();
    let ended = runtime.block_on(command);
    // What is still blocked in a system call, such as a read of the terminal, must not hold up the end.
    runtime.shutdown_background();
    ended
}

fn print_schema(kinds: &Kinds) -> anyhow::Result<ExitCode> {
    output::print(&format!("{:#}\n", slight_config::schema(kinds)))?;
    Ok(ExitCode::SUCCESS)
}
