//! One app and all that makes it run, from start to drain.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{
    App, Environment, Limits, LoadError, Services, Trigger,
    compile::initial_memory,
    failure::describe,
    instances::Instances,
    linker::link,
    repeats,
    state::Shared,
    triggers::{
        command,
        http::{HttpServer, Listen, Listener, Phases, Reuse},
        messages::{MessageServer, Subscription},
    },
};

/// How an app is run.
#[derive(Debug)]
pub struct Settings {
    /// What its names lead to.
    pub services: Services,
    /// What it may use.
    pub limits: Limits,
    /// What it finds around it.
    pub environment: Environment,
    /// How HTTP is served, if the component exports a handler.
    pub http: HttpSettings,
    /// What is delivered to the component's message handler.
    pub subscriptions: Vec<Subscription>,
}

/// How HTTP is served.
#[derive(Debug)]
pub struct HttpSettings {
    /// Where.
    pub listen: Listen,
    /// How often an instance serves requests.
    pub reuse: Reuse,
    /// How long a connection may be without a request.
    pub idle_timeout: Duration,
    /// How long connections are accepted after the app was told to end.
    pub shutdown_delay: Duration,
}

/// Tells an app to end.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    /// Nothing new begins, but for HTTP requests during the delay before the shutdown.
    pub begin: CancellationToken,
    /// There is no such delay. Takes effect with or after `begin`.
    pub without_delay: CancellationToken,
}

/// How long what guests wrote to standard output may take to be read at the end.
const FLUSH: Duration = Duration::from_secs(1);

/// Why an app ended other than by its own exit code.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// It cannot be linked.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {reason}; free the port, or choose another with --listen or [http] listen{}", share(.reason))]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        reason: io::Error,
    },
    /// The socket that was handed over cannot be listened on.
    #[error("the inherited socket cannot be served: {0}; hand over one listening TCP socket")]
    Inherited(io::Error),
    /// A subscription cannot be.
    #[error("the subscriptions cannot be served: {0}")]
    Subscription(#[from] slight_capabilities::Error),
    /// The command trapped, or could not be instantiated.
    #[error("the component failed: {}", describe(.0))]
    Failed(wasmtime::Error),
}

/// An app, linked and listening, that has not run yet.
pub struct Host {
    instances: Arc<Instances>,
    command: bool,
    http: Option<HttpTrigger>,
    messages: Option<MessageServer>,
}

struct HttpTrigger {
    server: HttpServer,
    listener: Listener,
    shutdown_delay: Duration,
}

impl Host {
    /// Links an app and opens its socket, so that whatever is wrong shows before anything runs.
    ///
    /// # Errors
    /// When an import or export does not fit, which [`App::check`] says before, or the address is taken.
    pub fn new(app: &App, settings: Settings) -> Result<Self, HostError> {
        let pre = link(app, &settings.services)?;
        let initial = initial_memory(&app.component);
        let shared = Arc::new(Shared::new(settings.services, settings.limits, settings.environment, initial));
        let instances = Arc::new(Instances::new(pre, shared, app.epochs.clone()));
        let http = match app.has(Trigger::Http) {
            true => Some(http(&instances, settings.http)?),
            false => None,
        };
        let messages = match app.has(Trigger::Messages) {
            true => Some(MessageServer::new(instances.clone(), &settings.subscriptions)?),
            false => None,
        };
        Ok(Self { instances, command: app.has(Trigger::Command), http, messages })
    }

    /// Looks at what it does, for as long as it runs and after.
    pub fn watch(&self) -> Watch {
        Watch(self.instances.clone())
    }

    /// Where HTTP is served.
    pub fn address(&self) -> Option<SocketAddr> {
        self.http.as_ref().and_then(|http| http.listener.address())
    }

    /// Runs until the command ends (if there is nothing else), or until `stop`; then drains: nothing new begins – HTTP
    /// requests only after a delay, so that clients can be told – and what runs may finish within
    /// `limits.drain_timeout`, but for a command, which is cut off: it cannot be told. Gives the exit code; none of a
    /// command that was cut off.
    ///
    /// # Errors
    /// When the command traps.
    pub async fn run(self, stop: Stop) -> Result<Option<u8>, HostError> {
        // A child, since this ends by itself too.
        let leaving = stop.begin.child_token();
        let phases = Phases { leaving, closing: CancellationToken::new(), abandon: self.instances.abandon.clone() };
        let mut servers = Vec::new();
        // Subscribed before anything else runs: what a request publishes must find its group.
        if let Some(mut messages) = self.messages {
            messages.connect().await;
            servers.push(tokio::spawn(messages.serve(phases.leaving.clone(), phases.abandon.clone())));
        }
        let mut delay = Duration::ZERO;
        if let Some(http) = self.http {
            delay = http.shutdown_delay;
            servers.push(tokio::spawn(http.server.serve(http.listener, phases.clone())));
        }
        let ended = match self.command {
            true => run_command(&self.instances, &phases.leaving).await,
            false => Ok(Some(0)),
        };
        if matches!(ended, Ok(Some(0))) && !servers.is_empty() {
            phases.leaving.cancelled().await;
        }
        if phases.leaving.is_cancelled() {
            wait_before_closing(delay, &stop.without_delay).await;
        }
        phases.leaving.cancel();
        phases.closing.cancel();
        let shared = &self.instances.shared;
        drain(servers, &phases.abandon, &shared.limits).await;
        // Instances that wait to be used again end with the process, and have not failed.
        phases.abandon.cancel();
        shared.writes.finish(shared.limits.drain_timeout).await;
        shared.consoles.flush(FLUSH).await;
        repeats::say_rest();
        ended
    }
}

/// Tells how busy an app is.
#[derive(Clone)]
pub struct Watch(Arc<Instances>);

impl Watch {
    /// How many requests and messages are being handled.
    pub fn running(&self) -> usize {
        self.0.running()
    }

    /// How many requests wait for an instance.
    pub fn waiting(&self) -> usize {
        self.0.waiting()
    }
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").field("running", &self.running()).field("waiting", &self.waiting()).finish()
    }
}

/// Other copies share a port, and clients and proxies learn that this one ends, while it goes on.
async fn wait_before_closing(delay: Duration, without_delay: &CancellationToken) {
    if delay.is_zero() || without_delay.is_cancelled() {
        return;
    }
    tracing::info!("HTTP is served for another {delay:?} (http.shutdown-delay), and clients are told to leave");
    tokio::select! {
        () = tokio::time::sleep(delay) => {}
        () = without_delay.cancelled() => {}
    }
}

fn http(instances: &Arc<Instances>, settings: HttpSettings) -> Result<HttpTrigger, HostError> {
    let HttpSettings { listen, reuse, idle_timeout, shutdown_delay } = settings;
    let server = HttpServer::new(instances.clone(), reuse, idle_timeout).map_err(HostError::Failed)?;
    let address = match &listen {
        Listen::Address { address, .. } => Some(*address),
        Listen::Inherited(_) => None,
    };
    let listener = Listener::open(listen).map_err(|reason| match address {
        Some(address) => HostError::Listen { address, reason },
        None => HostError::Inherited(reason),
    })?;
    Ok(HttpTrigger { server, listener, shutdown_delay })
}

fn share(reason: &io::Error) -> &'static str {
    match reason.kind() {
        io::ErrorKind::AddrInUse if cfg!(unix) => {
            "; or let several copies listen there, with reuse-port = true in [http] of each"
        }
        _ => "",
    }
}

async fn run_command(instances: &Instances, stop: &CancellationToken) -> Result<Option<u8>, HostError> {
    tokio::select! {
        ended = command::run(instances) => ended.map(Some).map_err(HostError::Failed),
        () = stop.cancelled() => Ok(None),
    }
}

/// How long the servers may take at least to end what is abandoned: to answer the clients, and give back the messages.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Waits for the servers to end by themselves, then makes them.
async fn drain(mut servers: Vec<JoinHandle<()>>, abandon: &CancellationToken, limits: &Limits) {
    if ended_within(limits.drain_timeout, &mut servers).await {
        return;
    }
    let limit = limits.drain_timeout;
    tracing::warn!("not all invocations ended within {limit:?} (limits.drain-timeout); they are stopped");
    abandon.cancel();
    if !ended_within(limits.backend_timeout.max(LAST_WORDS), &mut servers).await {
        tracing::warn!("some did not stop in time; messages among them come again when their leases end");
    }
}

async fn ended_within(limit: Duration, servers: &mut Vec<JoinHandle<()>>) -> bool {
    let all = async {
        while let Some(server) = servers.last_mut() {
            if let Err(error) = server.await {
                tracing::error!("a part of the host ended early: {error}");
            }
            servers.pop();
        }
    };
    tokio::time::timeout(limit, all).await.is_ok()
}
