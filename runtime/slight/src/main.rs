//! The command line of slight.

mod announcement;
mod args;
mod builtin;
mod check;
mod databases;
mod imports;
mod inherited;
mod logs;
mod open_files;
mod output;
mod providers;
mod run;
mod settings;
mod signals;
mod subscribe;
mod table;

use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;

use args::{Args, Command, ConfigCommand};
use inherited::Inherited;

fn main() -> ExitCode {
    // Before there is another thread: it takes variables out of the environment.
    let inherited = Inherited::take();
    let args = Args::parse();
    let format = args.log_format;
    let ended = logs::start(format).context("cannot start the log").and_then(|()| match args.command {
        Command::Run(run) => within_runtime(run::run(run, inherited)),
        Command::Check(check) => within_runtime(check::check(check, format)),
        Command::Config(ConfigCommand::Schema) => print_schema(),
    });
    let code = ended.unwrap_or_else(|error| {
        output::complain(format, &error);
        ExitCode::FAILURE
    });
    logs::flush();
    code
}

fn within_runtime(command: impl Future<Output = anyhow::Result<ExitCode>>) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ended = runtime.block_on(command);
    // What is still blocked in a system call, such as a read of the terminal, must not hold up the end.
    runtime.shutdown_background();
    ended
}

fn print_schema() -> anyhow::Result<ExitCode> {
    output::print(&format!("{:#}\n", slight_config::schema(&builtin::kinds())))?;
    Ok(ExitCode::SUCCESS)
}
