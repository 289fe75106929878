use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// How long the log may take at the very end.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What the first signal does.
pub struct Stop {
    /// Cancelled at once.
    pub token: CancellationToken,
    told: CancellationToken,
}

impl Stop {
    /// Waits until the log has told of the signal, if there was one: what is logged afterwards stands below.
    pub async fn told(&self) {
        if self.token.is_cancelled() {
            let _ = tokio::time::timeout(LAST_WORDS, self.told.cancelled()).await;
        }
    }
}

/// Listens for Ctrl-C and SIGTERM: the first cancels a token, the second ends the process at once.
///
/// Signals are received on a thread of their own, so that they are heard whatever the others do.
pub fn listen() -> anyhow::Result<Stop> {
    let stop = Stop { token: CancellationToken::new(), told: CancellationToken::new() };
    let (token, told) = (stop.token.clone(), stop.told.clone());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut signals = {
        let _within = runtime.enter();
        Signals::new()?
    };
    let listen = async move {
        let name = signals.next().await;
        // Before anything that could wait, such as the log.
        token.cancel();
        tracing::info!("{name}: no new work is begun, what runs may finish; once more ends it at once");
        told.cancel();
        let name = signals.next().await;
        // The log may be one that nobody reads any more; the end does not wait for that.
        let told = tokio::task::spawn_blocking(move || tracing::warn!("{name} once more: what runs is cut off"));
        let _ = tokio::time::timeout(LAST_WORDS, told).await;
        std::process::exit(130);
    };
    std::thread::Builder::new().name("signals".into()).spawn(move || runtime.block_on(listen))?;
    Ok(stop)
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "interrupted",
            _ = self.terminate.recv() => "told to terminate",
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> &'static str {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        "interrupted"
    }
}
