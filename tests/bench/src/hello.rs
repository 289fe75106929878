//! Requests a second of an HTTP "hello", a fresh instance for each, under a load that keeps every connection busy.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::{Request, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, process::Command, task::JoinSet};

use crate::{Args, rounds::Rounds, server::Server};

pub async fn run(args: &Args) -> Result<()> {
    for guest in ["hello-http", "hello-http-p3"] {
        let component = args.guests.join(guest).with_extension("wasm");
        let mut slight = Command::new(&args.slight);
        slight.env("SLIGHT_LOG", "info").args(["run", "--listen", "127.0.0.1:0"]).arg(&component);
        let mut wasmtime = Command::new(&args.wasmtime);
        wasmtime
            .args(["serve", "-S", "cli", "--addr", "127.0.0.1:0", "--max-instance-reuse-count", "1"])
            .arg(&component);
        let (slight, wasmtime) = (Server::start(slight).await?, Server::start(wasmtime).await?);

        let mut rounds = Rounds::default();
        for _ in 0..args.rounds {
            rounds.add(load(args, slight.address).await?, load(args, wasmtime.address).await?);
        }
        rounds.print(guest, "requests/s (more is better)", "wasmtime serve");
    }
    Ok(())
}

/// The rate at which the server answers.
async fn load(args: &Args, address: SocketAddr) -> Result<f64> {
    let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut clients = JoinSet::new();
    for _ in 0..args.connections {
        clients.spawn(client(address, stop.clone(), answered.clone()));
    }
    // The first moments are for connections and caches.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let (before, start) = (answered.load(Ordering::Relaxed), Instant::now());
    tokio::time::sleep(Duration::from_secs(args.seconds)).await;
    let rate = (answered.load(Ordering::Relaxed) - before) as f64 / start.elapsed().as_secs_f64();
    stop.store(true, Ordering::Relaxed);
    while let Some(ended) = clients.join_next().await {
        ended??;
    }
    Ok(rate)
}

async fn client(address: SocketAddr, stop: Arc<AtomicBool>, answered: Arc<AtomicU64>) -> Result<()> {
    let stream = TcpStream::connect(address).await.context("cannot connect")?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    while !stop.load(Ordering::Relaxed) {
        let request = Request::get("/").header("host", "localhost").body(Empty::<Bytes>::new())?;
        let response = sender.send_request(request).await?;
        ensure!(response.status().is_success(), "answered {}", response.status());
        response.into_body().collect().await?;
        answered.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}
