//! `bucket.get` of both drafts, linked by hand: the most frequent call of all. What `bindgen!` makes of it would copy
//! each value into a `Vec` first, where this lowers the provider's own bytes into the guest's memory.

use bytes::Bytes;
use slight_capabilities::{self as capabilities, check_key};
use wasmtime::{
    Result, StoreContextMut,
    component::{ComponentType, Linker, LinkerInstance, Lower, Resource, WasmStr},
};

use super::{Bucket, bindings_draft, bindings_draft2};
use crate::{
    Services,
    state::{Shared, State},
};

const GET: &str = "[method]bucket.get";

/// Serves `get` in place of what `bindgen!` linked. The guest is not suspended for it where no route leads to a provider
/// that may have to wait.
///
/// # Errors
/// When the linker does not take the definition.
pub(crate) fn link_get(linker: &mut Linker<State>, services: &Services) -> Result<()> {
    let at_once = services.key_value.iter().all(|(_, route)| route.provider.provider.reads_at_once());
    linker.allow_shadowing(true);
    link::<bindings_draft2::store::Error>(&mut linker.instance("wasi:keyvalue/store@0.2.0-draft2")?, at_once)?;
    link::<bindings_draft::store::Error>(&mut linker.instance("wasi:keyvalue/store@0.2.0-draft")?, at_once)?;
    linker.allow_shadowing(false);
    Ok(())
}

fn link<E>(store: &mut LinkerInstance<'_, State>, at_once: bool) -> Result<()>
where
    E: From<capabilities::Error> + ComponentType + Lower + Send + Sync + 'static,
{
    if at_once {
        return store.func_wrap(
            GET,
            |store: StoreContextMut<'_, State>, (bucket, key): (Resource<Bucket>, WasmStr)| {
                let bucket = store.data().table.get(&bucket)?;
                let value = get_at_once(&store.data().shared, bucket, &key.to_str(&store)?);
                Ok((value.map_err(E::from),))
            },
        );
    }
    store.func_wrap_async(GET, |mut store: StoreContextMut<'_, State>, (bucket, key): (Resource<Bucket>, String)| {
        Box::new(async move {
            let state = store.data_mut();
            let bucket = state.table.get(&bucket)?;
            let entry = state.shared.read_entry(bucket, &key).await;
            Ok((entry.map(|entry| entry.map(|entry| entry.value)).map_err(E::from),))
        })
    })
}

fn get_at_once(shared: &Shared, bucket: &Bucket, key: &str) -> capabilities::Result<Option<Bytes>> {
    check_key("key", key)?;
    let value = bucket.bucket.get_at_once(key)?;
    shared.check_returned(value.as_ref().map_or(0, Bytes::len))?;
    Ok(value)
}
