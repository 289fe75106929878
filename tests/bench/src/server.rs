use std::{net::SocketAddr, process::Stdio, time::Duration};

use anyhow::{Context, Result, bail};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

/// A server in a process of its own, which ends with this value.
pub struct Server {
    pub address: SocketAddr,
    _process: Child,
}

impl Server {
    /// Starts a server that says on stderr at which `http://` address it serves.
    pub async fn start(mut command: Command) -> Result<Self> {
        let mut process = command.stderr(Stdio::piped()).stdout(Stdio::null()).kill_on_drop(true).spawn()?;
        let stderr = process.stderr.take().context("no stderr")?;
        let mut lines = BufReader::new(stderr).lines();
        let address = tokio::time::timeout(Duration::from_secs(60), async {
            let mut said = Vec::new();
            while let Some(line) = lines.next_line().await? {
                if let Some(address) = address(&line) {
                    return Ok(address);
                }
                said.push(line);
            }
            bail!("the server ended before it served: {}", said.join("\n"));
        })
        .await
        .context("the server does not serve")??;
        // Whatever else it says must not fill the pipe.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(Self { address, _process: process })
    }
}

fn address(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once("http://")?;
    rest.split('/').next()?.parse().ok()
}
