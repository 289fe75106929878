use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use slight_capabilities::{Error, Result, Secret};
use wasmtime::{
    ResourceLimiter,
    component::{Resource, ResourceTable, ResourceTableError},
    error::Context as _,
};
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::{
    Limits, Services,
    blob::Writes,
    budget::Budget,
    console::{Consoles, Origin},
    denials::Denials,
    epochs::Running,
    guard::{self, Call},
    held::Disk,
    key_value::Cursors,
    messaging::Inboxes,
    outbound::{self, Outbound, OutboundPolicy},
    repeats::once_a_second,
};

/// A directory of the host that the guest sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountedDirectory {
    /// Where the guest sees it, absolute.
    pub guest: String,
    /// Where it is on the host.
    pub host: PathBuf,
    /// Whether the guest may only read.
    pub read_only: bool,
}

/// What the guest finds around it.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// Arguments of a command; the first is its name.
    pub args: Vec<String>,
    /// Environment variables, which may hold secrets.
    pub env: BTreeMap<String, Secret>,
    /// Directories.
    pub files: Vec<MountedDirectory>,
    /// Where outgoing HTTP requests may go.
    pub http_outbound: OutboundPolicy,
}

/// What all instances of one app share.
pub(crate) struct Shared {
    pub services: Services,
    pub limits: Limits,
    pub environment: Environment,
    /// The memory of the process.
    pub budget: Arc<Budget>,
    /// Sends the requests of all instances.
    pub http: outbound::Client,
    /// The numbers given out as cursors by wasi:keyvalue 0.2.0-draft.
    pub cursors: Cursors,
    /// Where replies to this process arrive.
    pub inboxes: Inboxes,
    /// Blob writes in flight, to be waited for at shutdown.
    pub writes: Writes,
    /// What guests were denied lately.
    pub denials: Denials,
    /// Where instances that serve write their output.
    pub consoles: Consoles,
}

impl Shared {
    /// `initial` is the memory that an instance begins with, in bytes.
    pub fn new(services: Services, limits: Limits, environment: Environment, initial: usize) -> Self {
        Self {
            consoles: Consoles::new(limits.log_lines),
            budget: Arc::new(Budget::new(limits.total_memory, initial)),
            services,
            limits,
            environment,
            http: outbound::Client::default(),
            cursors: Cursors::default(),
            inboxes: Inboxes::default(),
            writes: Writes::default(),
            denials: Denials::default(),
        }
    }

    /// A call to a backend, under the guard.
    pub async fn guarded<T>(&self, call: Call<'_>, future: impl Future<Output = Result<T>>) -> Result<T> {
        guard::call(self.limits.backend_timeout, call, future).await
    }
}

/// What one instance has on the host's side.
pub(crate) struct State {
    /// The instance in the log.
    pub origin: Arc<Origin>,
    /// Keeps the clock going.
    pub running: Option<Running>,
    pub table: ResourceTable,
    pub shared: Arc<Shared>,
    pub memory: MemoryLimiter,
    /// For the bodies of blobs whose target is not known yet.
    pub disk: Disk,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    outbound: Outbound,
}

impl State {
    /// A state for a new instance that serves.
    ///
    /// # Errors
    /// When a mounted directory cannot be opened.
    pub fn new(shared: Arc<Shared>) -> wasmtime::Result<Self> {
        let mut wasi = wasi_context(&shared.environment)?;
        let origin = Origin::new(&shared.consoles.quota);
        wasi.stdout(shared.consoles.stdout()).stderr(shared.consoles.stderr(origin.clone()));
        Ok(Self::with(shared, wasi.build(), origin))
    }

    /// A state for a command, which has the standard streams of the process to itself.
    ///
    /// # Errors
    /// When a mounted directory cannot be opened.
    pub fn of_command(shared: Arc<Shared>) -> wasmtime::Result<Self> {
        let mut wasi = wasi_context(&shared.environment)?;
        wasi.inherit_stdio();
        let origin = Origin::new(&shared.consoles.quota);
        Ok(Self::with(shared, wasi.build(), origin))
    }

    fn with(shared: Arc<Shared>, wasi: WasiCtx, origin: Arc<Origin>) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(shared.limits.handles);
        Self {
            origin,
            running: None,
            table,
            memory: MemoryLimiter::new(shared.limits.memory, shared.budget.clone()),
            disk: Disk::new(shared.limits.spool),
            wasi,
            http: WasiHttpCtx::new(),
            outbound: Outbound::new(shared.clone()),
            shared,
        }
    }

    /// Puts a resource into the guest's reach.
    ///
    /// # Errors
    /// `Other` when the guest holds too many already.
    pub fn push<T: Send + 'static>(&mut self, resource: T) -> Result<Resource<T>> {
        self.table.push(resource).map_err(|error| match error {
            ResourceTableError::Full => Error::other(format!(
                "the component holds more than {} open resources (limits.handles); drop those no longer needed",
                self.shared.limits.handles
            )),
            other => Error::other("the resource could not be kept").with_source(other),
        })
    }
}

fn wasi_context(environment: &Environment) -> wasmtime::Result<WasiCtxBuilder> {
    let mut builder = WasiCtxBuilder::new();
    builder.args(&environment.args);
    for (key, value) in &environment.env {
        builder.env(key, value.expose());
    }
    for directory in &environment.files {
        let permissions = if directory.read_only { FsPerms::ReadOnly } else { FsPerms::ReadWrite };
        builder
            .preopened_dir(&directory.host, &directory.guest, permissions)
            .with_context(|| format!("the directory {} cannot be mounted", directory.host.display()))?;
    }
    Ok(builder)
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut self.outbound }
    }
}

/// Refuses memory beyond the limit of the instance or of the process, and says so once: the trap that mostly follows in the
/// guest does not.
///
/// The limit is for all that an instance has: its linear memories and its tables together.
pub(crate) struct MemoryLimiter {
    limit: usize,
    used: usize,
    /// What the instance has in the host.
    held: usize,
    refused: bool,
    crowded_out: bool,
    budget: Arc<Budget>,
}

impl MemoryLimiter {
    fn new(limit: usize, budget: Arc<Budget>) -> Self {
        Self { limit, used: 0, held: 0, refused: false, crowded_out: false, budget }
    }

    /// What an instance that has so much takes of the process beyond what it has without asking.
    fn beyond(&self, bytes: usize) -> usize {
        bytes.saturating_sub(self.budget.start())
    }

    fn grow(&mut self, more: usize) -> bool {
        let used = self.used.saturating_add(more);
        if used > self.limit {
            let limit = self.limit;
            self.refuse(format_args!(
                "an instance asked for {used} bytes of memory and was refused: limits.memory is {limit}"
            ));
            return false;
        }
        let taken = self.beyond(used) - self.beyond(self.used);
        if !self.budget.take(taken) {
            self.refuse_for_all(used, taken);
            return false;
        }
        self.used = used;
        true
    }

    /// Says how much the instance has in the host now; false if that is more than the process has left.
    pub fn hold(&mut self, held: usize) -> bool {
        if held > self.held && !self.budget.take(held - self.held) {
            self.refuse_for_all(held, held - self.held);
            return false;
        }
        self.budget.give_back(self.held.saturating_sub(held));
        self.held = held;
        true
    }

    /// Whether it was refused what it could have had if nobody else ran.
    pub fn was_crowded_out(&self) -> bool {
        self.crowded_out
    }

    /// Forgets what it was refused while it served another request.
    pub fn begin_request(&mut self) {
        self.crowded_out = false;
    }

    /// `bytes` in all, of which it lacks `more`.
    fn refuse_for_all(&mut self, bytes: usize, more: usize) {
        let (limit, used) = (self.budget.limit(), self.budget.used());
        let own = self.budget.start() + self.beyond(self.used) + self.held;
        self.crowded_out |= self.budget.fits_alone(own, more);
        self.refuse(format_args!(
            "an instance asked for {bytes} bytes of memory and was refused: the process uses {used}, and \
             limits.total-memory is {limit}"
        ));
    }

    fn refuse(&mut self, sentence: std::fmt::Arguments<'_>) {
        if !std::mem::replace(&mut self.refused, true) {
            once_a_second("memory", |unsaid| tracing::warn!("{sentence}{unsaid}"));
        }
    }
}

impl Drop for MemoryLimiter {
    fn drop(&mut self) {
        self.budget.give_back(self.beyond(self.used) + self.held);
    }
}

impl ResourceLimiter for MemoryLimiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.grow(desired.saturating_sub(current)))
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        /// What an element of a table takes at most.
        const ELEMENT: usize = 16;
        Ok(self.grow(desired.saturating_sub(current).saturating_mul(ELEMENT)))
    }
}
