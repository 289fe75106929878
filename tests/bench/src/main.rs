//! Runs slight and a peer in turn and prints both, and their ratio, as medians. `tests/bench/run` builds what it needs.

mod get;
mod hello;
mod rounds;
mod server;

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;

/// Compares slight with wasmtime.
#[derive(Debug, Parser)]
struct Args {
    /// The slight binary
    #[arg(long)]
    slight: PathBuf,
    /// The wasmtime binary
    #[arg(long)]
    wasmtime: PathBuf,
    /// The folder with the guests
    #[arg(long)]
    guests: PathBuf,
    /// How often each side is run
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// How long each run of a server lasts, in seconds
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Connections kept busy at a time
    #[arg(long, default_value_t = 32)]
    connections: usize,
}

#[tokio::main]
async fn main() -> ExitCode {
    match compare(&Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn compare(args: &Args) -> anyhow::Result<()> {
    hello::run(args).await?;
    get::run(args).await
}
