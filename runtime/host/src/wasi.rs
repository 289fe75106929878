//! Functions of wasmtime-wasi whose work grows with their arguments, served in its place: random bytes come in slices, and
//! no more can be polled than an instance may have open.

use wasmtime::{
    AsContextMut, Result, StoreContextMut, bail,
    component::{Linker, Resource, WasmList},
};
use wasmtime_wasi::{
    WasiView,
    p2::{
        DynPollable,
        bindings::{
            io::poll,
            random::{insecure, random},
        },
    },
    random::WasiRandomCtx,
};

use crate::{slices::Slices, state::State};

/// The version under which wasmtime-wasi links its interfaces of 0.2: ours must be the same to take their place.
const V0_2: &str = "0.2.12";
const V0_3: &str = "0.3.0";

/// How many random bytes are made between two looks at the clock.
const RANDOM_SLICE: u64 = 64 * 1024;

/// Makes random bytes, all at once.
type Make = fn(&mut WasiRandomCtx, u64) -> Result<Vec<u8>>;

/// Serves these functions in place of what was linked before.
///
/// # Errors
/// When the linker does not take a definition.
pub(crate) fn link_bounded(linker: &mut Linker<State>, has_tasks: bool) -> Result<()> {
    linker.allow_shadowing(true);
    link_random(linker, V0_2, refuse)?;
    if has_tasks {
        // 0.3 may give fewer bytes than were asked for.
        link_random(linker, V0_3, |length, most| Ok(length.min(most)))?;
    }
    link_poll(linker)?;
    linker.allow_shadowing(false);
    Ok(())
}

fn refuse(length: u64, most: u64) -> Result<u64> {
    if length > most {
        bail!("it asked for {length} random bytes, more than one call hands back ({most}, limits.returned)");
    }
    Ok(length)
}

fn link_random(linker: &mut Linker<State>, version: &str, bound: fn(u64, u64) -> Result<u64>) -> Result<()> {
    let secure: Make = |random, length| random::Host::get_random_bytes(random, length);
    let insecure: Make = |random, length| insecure::Host::get_insecure_random_bytes(random, length);
    for (interface, function, make) in
        [("random", "get-random-bytes", secure), ("insecure", "get-insecure-random-bytes", insecure)]
    {
        linker.instance(&format!("wasi:random/{interface}@{version}"))?.func_wrap_async(
            function,
            move |mut store: StoreContextMut<'_, State>, (length,): (u64,)| {
                Box::new(async move {
                    let state = store.data_mut();
                    let length = bound(length, state.shared.limits.returned as u64)?;
                    Ok((random_bytes(state.ctx().ctx.random(), length, make).await?,))
                })
            },
        )?;
    }
    Ok(())
}

async fn random_bytes(random: &mut WasiRandomCtx, length: u64, make: Make) -> Result<Vec<u8>> {
    let mut bytes = make(random, length.min(RANDOM_SLICE))?;
    let mut slices = Slices::begin();
    while let left @ 1.. = length.saturating_sub(bytes.len() as u64) {
        slices.pause().await;
        bytes.append(&mut make(random, left.min(RANDOM_SLICE))?);
    }
    Ok(bytes)
}

/// A list may name one pollable any number of times; taken into the host, each costs far more than its four bytes in the
/// guest's memory.
fn link_poll(linker: &mut Linker<State>) -> Result<()> {
    linker.instance(&format!("wasi:io/poll@{V0_2}"))?.func_wrap_async(
        "poll",
        |mut store: StoreContextMut<'_, State>, (pollables,): (WasmList<Resource<DynPollable>>,)| {
            Box::new(async move {
                let most = store.data().shared.limits.handles;
                if pollables.len() > most {
                    let count = pollables.len();
                    bail!("it polled {count} pollables at once, more than it may have open ({most}, limits.handles)");
                }
                let pollables = pollables.iter(store.as_context_mut())?.collect::<Result<Vec<_>>>()?;
                Ok((poll::Host::poll(store.data_mut().ctx().table, pollables).await?,))
            })
        },
    )
}
