//! Nanoseconds of one key-value `get` in a guest's loop, on memory.

use anyhow::{Result, ensure};
use tokio::process::Command;

use crate::{Args, rounds::Rounds};

pub async fn run(args: &Args) -> Result<()> {
    let component = args.guests.join("kv-loop.wasm");
    let mut rounds = Rounds::default();
    for _ in 0..args.rounds {
        let mut slight = Command::new(&args.slight);
        slight.arg("run").arg(&component).args(["--", "1000000"]);
        let mut wasmtime = Command::new(&args.wasmtime);
        wasmtime.args(["run", "-S", "keyvalue"]).arg(&component).arg("1000000");
        rounds.add(measure(slight).await?, measure(wasmtime).await?);
    }
    rounds.print("key-value get", "ns (less is better)", "wasmtime run");
    Ok(())
}

async fn measure(mut command: Command) -> Result<f64> {
    let output = command.output().await?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "the guest failed: {errors}");
    Ok(String::from_utf8_lossy(&output.stdout).trim().parse()?)
}
