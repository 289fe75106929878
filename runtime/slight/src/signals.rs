use std::sync::{Arc, OnceLock};

use crate::logs;

/// What the first signal does.
pub struct Stop {
    /// What tells the app.
    pub tokens: slight_runtime::Stop,
    signal: Arc<OnceLock<Signal>>,
}

/// A request to end.
#[derive(Debug, Clone, Copy)]
enum Signal {
    Interrupt,
    #[cfg(unix)]
    Terminate,
    /// The terminal is gone.
    #[cfg(unix)]
    HangUp,
}

impl Signal {
    fn name(self) -> &'static str {
        match self {
            Self::Interrupt => "interrupted",
            #[cfg(unix)]
            Self::Terminate => "told to terminate",
            #[cfg(unix)]
            Self::HangUp => "hung up",
        }
    }

    /// What a shell reports of a program that the signal ended: 128 and its number.
    fn code(self) -> u8 {
        match self {
            Self::Interrupt => 130,
            #[cfg(unix)]
            Self::Terminate => 143,
            #[cfg(unix)]
            Self::HangUp => 129,
        }
    }
}

impl Stop {
    /// The exit code of what the signal cut off.
    pub fn code(&self) -> u8 {
        self.signal.get().copied().unwrap_or(Signal::Interrupt).code()
    }
}

/// Listens for Ctrl-C, SIGTERM and SIGHUP: the first tells the app, and the log says what that does; the second ends the
/// process at once. At Ctrl-C somebody waits, so that nothing is delayed.
///
/// Signals are received on a thread of their own, so that they are heard whatever the others do.
pub fn listen(does: &'static str) -> anyhow::Result<Stop> {
    let stop = Stop { tokens: slight_runtime::Stop::default(), signal: Arc::default() };
    let (tokens, first) = (stop.tokens.clone(), stop.signal.clone());
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
        if matches!(signal, Signal::Interrupt) {
            tokens.without_delay.cancel();
        }
        tokens.begin.cancel();
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
    /// None where it is to be ignored, as `nohup` has it.
    hang_up: Option<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: (!ignores_hang_up()).then(|| signal(SignalKind::hangup())).transpose()?,
        })
    }

    async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => Signal::Interrupt,
            _ = self.terminate.recv() => Signal::Terminate,
            () = hung_up(&mut self.hang_up) => Signal::HangUp,
        }
    }
}

#[cfg(unix)]
async fn hung_up(signal: &mut Option<tokio::signal::unix::Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}

/// Whether we were started to survive the terminal. Linux tells which signals a process ignores; elsewhere it shows in
/// nothing that could be read.
#[cfg(unix)]
fn ignores_hang_up() -> bool {
    const HANG_UP: u32 = 1;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    ignored.is_some_and(|mask| mask & (1 << (HANG_UP - 1)) != 0)
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
