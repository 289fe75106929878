//! The wasmtime engine: how it allocates instances, where it keeps compiled code, and what ends endless loops.

use std::{path::PathBuf, thread, time::Duration};

use wasmtime::{
    Cache, CacheConfig, Config, Enabled, Engine, EngineWeak, InstanceAllocationStrategy, PoolingAllocationConfig,
    WasmBacktraceDetails,
};

use crate::{Limits, LoadError};

/// How often a running guest is made to yield: so a loop without end holds a thread no longer than this at a time, and
/// its invocation's timeout is seen.
const EPOCH: Duration = Duration::from_millis(10);

/// Core modules, memories and tables that one component may bring and still be pooled. What `wit-component` links out
/// of a library and its adapters stays well below.
const MODULES_PER_COMPONENT: u32 = 20;
const MEMORIES_PER_COMPONENT: u32 = 2;
const TABLES_PER_COMPONENT: u32 = 10;

/// Memory that a freed slot keeps, zeroed by hand rather than given back: returning pages interrupts every core, and
/// taking them again faults each one in. Most of what a small request costs is in these two.
const MEMORY_KEPT: usize = 4 << 20;
const TABLES_KEPT: usize = 1 << 20;
const STACK_KEPT: usize = 64 << 10;
/// Slots whose memory is given back in one go.
const DECOMMIT_BATCH: usize = 64;

/// Where compiled components are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CodeCache {
    /// In the user's cache directory (`$XDG_CACHE_HOME/slight` or `~/.cache/slight`), if there is one.
    User,
    /// In this directory.
    Directory(PathBuf),
    /// Nowhere.
    Off,
}

/// Whether an engine runs the component model's tasks: `async` functions, streams and futures. They are a task for
/// every call of the host too, which is a good part of what a short call costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tasks {
    With,
    /// A component that uses them is not valid there.
    Without,
}

/// Makes the engine, with pooled instances where the machine can reserve the address space, else without.
pub(crate) fn engine(limits: &Limits, cache: &CodeCache, tasks: Tasks) -> Result<Engine, LoadError> {
    let cache = open_cache(cache);
    let pooled = Engine::new(&config(cache.clone(), Some(pool(limits)), tasks));
    let engine = match pooled {
        Ok(engine) => engine,
        Err(error) => {
            tracing::info!(
                "instances are allocated one by one, which is slower: no pool of them could be made ({error:#})"
            );
            return unpooled_engine(cache, tasks);
        }
    };
    start_epochs(&engine)?;
    Ok(engine)
}

/// An engine without a pool, for components that need more than a slot of it has.
pub(crate) fn engine_without_pool(cache: &CodeCache, tasks: Tasks) -> Result<Engine, LoadError> {
    unpooled_engine(open_cache(cache), tasks)
}

fn unpooled_engine(cache: Option<Cache>, tasks: Tasks) -> Result<Engine, LoadError> {
    let engine = Engine::new(&config(cache, None, tasks)).map_err(LoadError::Engine)?;
    start_epochs(&engine)?;
    Ok(engine)
}

fn config(cache: Option<Cache>, pool: Option<PoolingAllocationConfig>, tasks: Tasks) -> Config {
    let mut config = Config::new();
    config.cache(cache);
    config.epoch_interruption(true);
    config.concurrency_support(tasks == Tasks::With);
    config.wasm_backtrace_details(WasmBacktraceDetails::Disable);
    if let Some(pool) = pool {
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    }
    config
}

fn pool(limits: &Limits) -> PoolingAllocationConfig {
    // As many for requests as for messages, and one for a command.
    let instances = u32::try_from(limits.concurrency).unwrap_or(u32::MAX).saturating_mul(2).saturating_add(1);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_core_instances(instances.saturating_mul(MODULES_PER_COMPONENT))
        .total_memories(instances.saturating_mul(MEMORIES_PER_COMPONENT))
        .total_tables(instances.saturating_mul(TABLES_PER_COMPONENT))
        .total_stacks(instances.saturating_mul(2))
        .max_core_instances_per_component(MODULES_PER_COMPONENT)
        .max_memories_per_component(MEMORIES_PER_COMPONENT)
        .max_tables_per_component(TABLES_PER_COMPONENT)
        .max_component_instance_size(4 << 20)
        .max_core_instance_size(4 << 20)
        .max_memory_size(limits.memory)
        .linear_memory_keep_resident(MEMORY_KEPT)
        .table_keep_resident(TABLES_KEPT)
        .async_stack_keep_resident(STACK_KEPT)
        .decommit_batch_size(DECOMMIT_BATCH)
        .pagemap_scan(Enabled::Auto);
    pool
}

/// A cache that cannot be had makes starts slower and is no reason to fail.
fn open_cache(cache: &CodeCache) -> Option<Cache> {
    let directory = match cache {
        CodeCache::Off => return None,
        CodeCache::Directory(directory) => directory.clone(),
        CodeCache::User => user_cache_directory()?,
    };
    let mut config = CacheConfig::new();
    config.with_directory(&directory);
    Cache::new(config)
        .inspect_err(|error| {
            tracing::info!("compiled components are not kept: {} cannot be used ({error:#})", directory.display());
        })
        .ok()
}

fn user_cache_directory() -> Option<PathBuf> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
    Some(base.join("slight"))
}

/// Advances the engine's clock for as long as the engine is there.
fn start_epochs(engine: &Engine) -> Result<(), LoadError> {
    let engine: EngineWeak = engine.weak();
    let tick = move || {
        loop {
            thread::sleep(EPOCH);
            match engine.upgrade() {
                Some(engine) => engine.increment_epoch(),
                None => return,
            }
        }
    };
    thread::Builder::new().name("epochs".into()).spawn(tick).map_err(|error| LoadError::Engine(error.into()))?;
    Ok(())
}
