//! The wasmtime engine: how it allocates instances, and what ends endless loops.

use std::sync::Arc;

use wasmtime::{
    Cache, Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, WasmBacktraceDetails,
};

use crate::{Limits, LoadError, epochs::Epochs};

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
/// What all slots keep at most, of all the memory that the process may have: where that is little, each keeps less.
const KEPT_OF_TOTAL: usize = 4;
/// Slots whose memory is given back in one go. Each at once: what an instance had beyond what is kept would stay with
/// the process until so many have ended, which may be never.
const DECOMMIT_BATCH: usize = 1;

/// Of each memory, where there is no address space for a pool: what it may grow into without being moved, and what is
/// kept free behind it. Anything more would leave no room for a second instance.
const GROWTH: u64 = 1 << 20;
const GUARD: u64 = 64 << 10;

/// Whether an engine runs the component model's tasks: `async` functions, streams and futures. They are a task for
/// every call of the host too, which is a good part of what a short call costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tasks {
    With,
    /// A component that uses them is not valid there.
    Without,
}

/// An engine and its clock.
pub(crate) type Clocked = (Engine, Arc<Epochs>);

/// Makes the engine, with pooled instances where the machine can reserve the address space, else without.
pub(crate) fn engine(limits: &Limits, cache: Option<&Cache>, tasks: Tasks) -> Result<Clocked, LoadError> {
    let mut pooled = config(cache, tasks);
    pooled.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(limits)));
    match Engine::new(&pooled) {
        Ok(engine) => clocked(engine),
        Err(error) => {
            tracing::info!(
                "instances are allocated one by one, which is slower: no pool of them could be made ({error:#})"
            );
            let mut sparing = config(cache, tasks);
            sparing.memory_reservation(0).memory_reservation_for_growth(GROWTH).memory_guard_size(GUARD);
            clocked(Engine::new(&sparing).map_err(LoadError::Engine)?)
        }
    }
}

/// An engine without a pool, for components that need more than a slot of it has.
pub(crate) fn engine_without_pool(cache: Option<&Cache>, tasks: Tasks) -> Result<Clocked, LoadError> {
    clocked(Engine::new(&config(cache, tasks)).map_err(LoadError::Engine)?)
}

fn clocked(engine: Engine) -> Result<Clocked, LoadError> {
    let epochs = Epochs::start(&engine).map_err(|error| LoadError::Engine(error.into()))?;
    Ok((engine, epochs))
}

fn config(cache: Option<&Cache>, tasks: Tasks) -> Config {
    let mut config = Config::new();
    config.cache(cache.cloned());
    config.epoch_interruption(true);
    config.concurrency_support(tasks == Tasks::With);
    config.wasm_backtrace_details(WasmBacktraceDetails::Disable);
    config
}

fn pool(limits: &Limits) -> PoolingAllocationConfig {
    // As many for requests as for messages, and one for a command.
    let instances = u32::try_from(limits.concurrency).unwrap_or(u32::MAX).saturating_mul(2).saturating_add(1);
    let kept = limits.total_memory / KEPT_OF_TOTAL / usize::try_from(instances).unwrap_or(usize::MAX).max(1);
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
        .linear_memory_keep_resident(MEMORY_KEPT.min(kept))
        .table_keep_resident(TABLES_KEPT.min(kept / 4))
        .async_stack_keep_resident(STACK_KEPT)
        .decommit_batch_size(DECOMMIT_BATCH)
        .pagemap_scan(Enabled::Auto);
    pool
}
