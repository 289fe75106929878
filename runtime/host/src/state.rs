use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use slight_capabilities::{Error, Result};
use wasmtime::{
    ResourceLimiter, StoreLimits, StoreLimitsBuilder,
    component::{Resource, ResourceTable, ResourceTableError},
};
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::{
    Limits, Services,
    blob::Writes,
    guard::{self, Call},
    key_value::Cursors,
    messaging::Inboxes,
    outbound::{Outbound, OutboundPolicy},
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
    /// Environment variables.
    pub env: BTreeMap<String, String>,
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
    /// The numbers given out as cursors by wasi:keyvalue 0.2.0-draft.
    pub cursors: Cursors,
    /// Where replies to this process arrive.
    pub inboxes: Inboxes,
    /// Blob writes in flight, to be waited for at shutdown.
    pub writes: Writes,
}

impl Shared {
    pub fn new(services: Services, limits: Limits, environment: Environment) -> Self {
        Self {
            services,
            limits,
            environment,
            cursors: Cursors::default(),
            inboxes: Inboxes::default(),
            writes: Writes::default(),
        }
    }

    /// A call to a backend, under the guard.
    pub async fn guarded<T>(&self, call: Call<'_>, future: impl Future<Output = Result<T>>) -> Result<T> {
        guard::call(self.limits.backend_timeout, call, future).await
    }
}

/// What one instance has on the host's side.
pub(crate) struct State {
    pub table: ResourceTable,
    pub shared: Arc<Shared>,
    pub memory: MemoryLimiter,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    outbound: Outbound,
}

impl State {
    /// A state for a new instance.
    ///
    /// # Errors
    /// When a mounted directory cannot be opened.
    pub fn new(shared: Arc<Shared>) -> wasmtime::Result<Self> {
        let mut table = ResourceTable::new();
        table.set_max_capacity(shared.limits.handles);
        Ok(Self {
            table,
            memory: MemoryLimiter::new(shared.limits.memory),
            wasi: wasi_context(&shared.environment)?,
            http: WasiHttpCtx::new(),
            outbound: Outbound::new(shared.environment.http_outbound.clone()),
            shared,
        })
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

fn wasi_context(environment: &Environment) -> wasmtime::Result<WasiCtx> {
    let mut builder = WasiCtxBuilder::new();
    builder.inherit_stdio();
    builder.args(&environment.args);
    for (key, value) in &environment.env {
        builder.env(key, value);
    }
    for directory in &environment.files {
        let permissions = if directory.read_only { FsPerms::ReadOnly } else { FsPerms::ReadWrite };
        builder.preopened_dir(&directory.host, &directory.guest, permissions)?;
    }
    Ok(builder.build())
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

/// Refuses memory beyond the limit, and says so once: the trap that mostly follows in the guest does not.
pub(crate) struct MemoryLimiter {
    bytes: usize,
    limits: StoreLimits,
    refused: bool,
}

impl MemoryLimiter {
    fn new(bytes: usize) -> Self {
        Self { bytes, limits: StoreLimitsBuilder::new().memory_size(bytes).build(), refused: false }
    }
}

impl ResourceLimiter for MemoryLimiter {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let allowed = self.limits.memory_growing(current, desired, maximum)?;
        if !allowed && !self.refused {
            tracing::warn!(
                "an instance asked for {desired} bytes of memory and was refused: limits.memory is {}",
                self.bytes
            );
        }
        self.refused |= !allowed;
        Ok(allowed)
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        self.limits.table_growing(current, desired, maximum)
    }
}
