//! An app, from its configuration to its end. What has to be done, and in which order, is here alone.

use std::{collections::BTreeMap, net::SocketAddr, net::TcpListener, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, anyhow};
use futures_util::future::join_all;
use slight_capabilities::Provider;
use slight_config::Config;
use slight_runtime::{App as Compiled, CodeCache, Host, Limits, LoadError, Settings, Stop, Trigger, Watch};
use tokio::task::JoinHandle;

use crate::{
    Kinds, Result, announcement::announcement, databases, memory::Memory, providers::Providers, settings, subscriptions,
};

/// How long providers may take at the very end.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// A component, and what it runs with.
///
/// ```no_run
/// # async fn run() -> slight::Result<()> {
/// let kinds = slight::builtin();
/// let config = slight::Config::load("slight.toml".as_ref(), &kinds)?;
/// let app = slight::App::new(kinds, config, slight::Component::from_file("app.wasm"));
/// let running = app.start().await?;
/// println!("{:?}", running.health().await);
/// running.stop().await?;
/// # Ok(())
/// # }
/// ```
pub struct App {
    pub(crate) kinds: Kinds,
    pub(crate) config: Config,
    pub(crate) component: Component,
    pub(crate) triggers: Vec<Trigger>,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) args: Vec<String>,
    pub(crate) listener: Option<TcpListener>,
    pub(crate) cache: CodeCache,
}

/// Where a component comes from.
#[derive(Clone)]
pub struct Component(Content);

#[derive(Clone)]
enum Content {
    File(PathBuf),
    Bytes(String, Vec<u8>),
}

impl Component {
    /// A `.wasm` file, read when the app starts.
    pub fn from_file(path: impl Into<PathBuf>) -> Self {
        Self(Content::File(path.into()))
    }

    /// The bytes of a component, which the log and errors call `name`.
    pub fn from_bytes(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self(Content::Bytes(name.into(), bytes.into()))
    }

    pub(crate) fn compile(&self, limits: &Limits, cache: &CodeCache) -> std::result::Result<Compiled, LoadError> {
        match &self.0 {
            Content::File(path) => Compiled::load(path, limits, cache),
            Content::Bytes(name, bytes) => Compiled::compile(name, bytes, limits, cache),
        }
    }

    /// What it calls itself as a program.
    fn program(&self) -> String {
        match &self.0 {
            Content::File(path) => path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned(),
            Content::Bytes(name, _) => name.clone(),
        }
    }
}

impl App {
    /// An app of a component, with the providers that its configuration may name. The configuration is read with the same
    /// kinds, or is [`Config::without_file`].
    pub fn new(kinds: Kinds, config: Config, component: Component) -> Self {
        let (triggers, env, args) = (Vec::new(), Vec::new(), Vec::new());
        Self { kinds, config, component, triggers, env, args, listener: None, cache: CodeCache::User }
    }

    /// Runs on this of what the component exports, in place of the default and of what the configuration says; can be
    /// repeated.
    #[must_use]
    pub fn trigger(mut self, trigger: Trigger) -> Self {
        self.triggers.push(trigger);
        self
    }

    /// Sets an environment variable of the component, also if the configuration does.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Adds an argument for the component's command.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Serves HTTP on this socket, in place of the address that the configuration says.
    #[must_use]
    pub fn listener(mut self, listener: TcpListener) -> Self {
        self.listener = Some(listener);
        self
    }

    /// Where compiled components are kept: by default in a directory of the user, as `slight run` does.
    #[must_use]
    pub fn cache(mut self, cache: CodeCache) -> Self {
        self.cache = cache;
        self
    }

    /// Compiles the component, connects what the configuration routes to, makes what it declares, opens the socket, and
    /// begins to serve. Needs a runtime of tokio with all its drivers, and several threads where it is to be fast.
    ///
    /// # Errors
    /// The first of these that fails. Nothing runs then.
    pub async fn start(self) -> Result<Running> {
        Ok(self.prepare().await?.start(Stop::default()))
    }

    /// All of [`start`](Self::start) but that it runs.
    pub(crate) async fn prepare(self) -> anyhow::Result<Prepared> {
        let Self { kinds, config, component, triggers, env, args, listener, cache } = self;
        databases::check_apart(&config, &kinds)?;
        let limits = settings::limits(&config);
        let program = component.program();
        let compiling = {
            let limits = limits.clone();
            move || component.compile(&limits, &cache)
        };
        // It takes seconds where nothing is in the cache.
        let mut app = tokio::task::spawn_blocking(compiling).await.context("the compiler ended early")??;
        settings::choose_triggers(&mut app, &config, &triggers);
        app.check()?;
        subscriptions::check(&app, &config)?;
        subscriptions::uncalled(&app).iter().for_each(|warning| tracing::warn!("{warning}"));
        let providers = Providers::connect(&config, &kinds).await?;
        let services = providers.services(&config)?;
        providers.create_groups(&config, &services).await?;
        let settings = Settings {
            services,
            limits,
            environment: settings::environment(&config, env, program, args),
            http: settings::http(&config, listener),
            subscriptions: settings::subscriptions(&config),
        };
        let host = Host::new(&app, settings)?;
        let connected = providers.into_connected();
        let mut told = Vec::new();
        let serves = app.has(Trigger::Http) || app.has(Trigger::Messages);
        // A command speaks for itself, and its standard error is its own.
        if serves {
            told.push(announcement(&app, &config, &kinds));
            told.extend(app.spare_triggers().map(|spare| format!("{} {}", app.path(), subscriptions::not_run(spare))));
            told.push(format!("memory: {} (limits.total-memory)", Memory::of(config.limits.total_memory).described));
        }
        told.extend(host.address().map(|address| format!("serving HTTP on http://{address}/")));
        Ok(Prepared { host, serves, told, connected, backend_timeout: config.limits.backend_timeout })
    }
}

/// An app that is ready to run.
pub(crate) struct Prepared {
    host: Host,
    /// Whether it goes on until it is told to end.
    pub serves: bool,
    told: Vec<String>,
    connected: BTreeMap<String, Arc<dyn Provider>>,
    backend_timeout: Duration,
}

impl Prepared {
    /// Begins. `stop` ends it.
    pub fn start(self, stop: Stop) -> Running {
        let Self { host, serves, told, connected, backend_timeout } = self;
        told.iter().for_each(|line| tracing::info!("{line}"));
        let (address, watch, stopping) = (host.address(), host.watch(), stop.clone());
        let to_close: Vec<_> = connected.values().cloned().collect();
        let ended = tokio::spawn(async move {
            let ended = host.run(stopping).await.map_err(anyhow::Error::from);
            // What was leased and not begun is another's at once.
            let closing = join_all(to_close.iter().map(|provider| provider.close()));
            let _ = tokio::time::timeout(LAST_WORDS, closing).await;
            if serves && ended.is_ok() {
                tracing::info!("stopped");
            }
            Ok(ended?)
        });
        Running { address, watch, stop, ended, connected, backend_timeout }
    }
}

/// An app that runs. Dropping it tells the app to end, and waits for nothing.
#[must_use = "dropping it ends the app"]
pub struct Running {
    address: Option<SocketAddr>,
    watch: Watch,
    stop: Stop,
    ended: JoinHandle<Result<Option<u8>>>,
    connected: BTreeMap<String, Arc<dyn Provider>>,
    backend_timeout: Duration,
}

impl Running {
    /// Where it serves HTTP, if it does.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// How it is: what it does, and whether its backends answer.
    pub async fn health(&self) -> Health {
        let pings = self.connected.iter().map(|(section, provider)| async {
            let answer = match tokio::time::timeout(self.backend_timeout, provider.ping()).await {
                Ok(answer) => answer.map_err(|error| error.to_string()),
                Err(_) => Err(format!("no answer within {:?} (limits.backend-timeout)", self.backend_timeout)),
            };
            (section.clone(), answer)
        });
        let providers = join_all(pings).await.into_iter().collect();
        Health {
            draining: self.stop.begin.is_cancelled(),
            running: self.watch.running(),
            waiting: self.watch.waiting(),
            providers,
        }
    }

    /// Tells it to end, and waits for that: what runs may finish, within `limits.drain-timeout`. Gives the exit code of a
    /// command that had ended.
    ///
    /// # Errors
    /// Those of [`wait`](Self::wait).
    pub async fn stop(self) -> Result<Option<u8>> {
        self.stop.begin.cancel();
        self.wait().await
    }

    /// Waits until it ends: its command has, or it was told to. Gives the exit code; none of a command that was cut off.
    ///
    /// # Errors
    /// When its command traps.
    pub async fn wait(mut self) -> Result<Option<u8>> {
        (&mut self.ended).await.unwrap_or_else(|error| Err(anyhow!("the app ended early: {error}").into()))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.begin.cancel();
    }
}

/// How an app is.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Health {
    /// It was told to end.
    pub draining: bool,
    /// How many requests and messages are being handled.
    pub running: usize,
    /// How many requests wait for an instance.
    pub waiting: usize,
    /// What each section `[providers.X]` in use says: an error where its backend does not answer.
    pub providers: BTreeMap<String, std::result::Result<(), String>>,
}
