use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

use crate::logs;

/// What the first signal does.
pub struct Stop {
    /// Cancelled at once.
    pub token: CancellationToken,
    signal: Arc<OnceLock<Signal>>,
}

/// A request to end.
#[derive(Debug, Clone, Copy)]
enum Signal {
    Interrupt,
    #[cfg(unix)]
    Terminate,
}

impl Signal {
    fn name(self) -> &'static str {
        match self {
            Self::Interrupt => "interrupted",
            #[cfg(unix)]
            Self::Terminate => "told to terminate",
        }
    }

    /// What a shell reports of a program that the signal ended: 128 and its number.
    fn code(self) -> u8 {
        match self {
            Self::Interrupt => 130,
            #[cfg(unix)]
            Self::Terminate => 143,
        }
    }
}

impl Stop {
    /// The exit code of what the signal cut off.
    pub fn code(&self) -> u8 {
        self.signal.get().copied().unwrap_or(Signal::Interrupt).code()
    }
}

/// Listens for Ctrl-C and SIGTERM: the first cancels a token, and the log says what that does; the second ends the
/// process at once.
///
/// Signals are received on a thread of their own, so that they are heard whatever the others do.
pub fn listen(does: &'static str) -> anyhow::Result<Stop> {
    let stop = Stop { token: CancellationToken::new(), signal: Arc::default() };
    let (token, first) = (stop.token.clone(), stop.signal.clone());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut signals = {
        let _within = runtime.enter();
        Signals::new()?
    };
    let listen = async move {
        let signal = signals.next().await;
        // Nobody else sets it.
        let _ = first.set(signal);
        tracing::info!("{}: {does}; once more ends it at once", signal.name());
        token.cancel();
        let signal = signals.next().await;
        tracing::warn!("{} once more: what runs is cut off", signal.name());
        logs::flush();
        std::process::exit(signal.code().into());
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

    async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => Signal::Interrupt,
            _ = self.terminate.recv() => Signal::Terminate,
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

    async fn next(&mut self) -> Signal {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        Signal::Interrupt
    }
}
