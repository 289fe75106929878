//! `bucket.get` of both drafts, linked by hand: the most frequent call of all. What `bindgen!` makes of it would copy
//! each value into a `Vec` first, where this lowers the provider's own bytes into the guest's memory.

use bytes::Bytes;
use slight_capabilities as capabilities;
use wasmtime::{
    Result, StoreContextMut,
    component::{ComponentType, Linker, Lower, Resource},
};

use super::{Bucket, bindings_draft, bindings_draft2};
use crate::state::State;

const GET: &str = "[method]bucket.get";

/// Serves `get` in place of what `bindgen!` linked.
///
/// # Errors
/// When the linker does not take the definition.
pub(crate) fn link_get(linker: &mut Linker<State>) -> Result<()> {
    linker.allow_shadowing(true);
    link::<bindings_draft2::store::Error>(linker, "wasi:keyvalue/store@0.2.0-draft2")?;
    link::<bindings_draft::store::Error>(linker, "wasi:keyvalue/store@0.2.0-draft")?;
    linker.allow_shadowing(false);
    Ok(())
}

fn link<E>(linker: &mut Linker<State>, interface: &str) -> Result<()>
where
    E: From<capabilities::Error> + ComponentType + Lower + Send + Sync + 'static,
{
    linker.instance(interface)?.func_wrap_async(
        GET,
        |mut store: StoreContextMut<'_, State>, (bucket, key): (Resource<Bucket>, String)| {
            Box::new(async move { Ok((get::<E>(store.data_mut(), bucket, key).await?,)) })
        },
    )
}

async fn get<E>(state: &mut State, bucket: Resource<Bucket>, key: String) -> Result<Result<Option<Bytes>, E>>
where
    E: From<capabilities::Error>,
{
    let bucket = state.table.get(&bucket)?;
    match state.shared.read_entry(bucket, &key).await {
        Ok(entry) => Ok(Ok(entry.map(|entry| entry.value))),
        Err(error) => Ok(Err(error.into())),
    }
}
