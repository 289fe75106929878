//! `wasi:keyvalue/batch.get-many` in its second shape: a list of pairs, with `none` for what is missing.
//!
//! Guests built for Spin import this shape under the same version string as the standard one, so the version cannot
//! tell them apart: the component's own import type does.

use wasmtime::{
    Engine, Result, StoreContextMut,
    component::{
        Component, Linker, Resource,
        types::{ComponentItem, Type},
    },
};

use super::{Bucket, bindings_draft2::store::Error};
use crate::state::State;

const BATCH: &str = "wasi:keyvalue/batch@0.2.0-draft2";
const GET_MANY: &str = "get-many";

/// Serves the second shape in place of the first, if the component asks for it.
///
/// # Errors
/// When the linker does not take the definition.
pub(crate) fn link_pairs(linker: &mut Linker<State>, engine: &Engine, component: &Component) -> Result<()> {
    if !imports_pairs(engine, component) {
        return Ok(());
    }
    linker.allow_shadowing(true);
    linker.instance(BATCH)?.func_wrap_async(
        GET_MANY,
        |mut store: StoreContextMut<'_, State>, (bucket, keys): (Resource<Bucket>, Vec<String>)| {
            Box::new(async move {
                let values = store.data_mut().get_many(bucket, keys).await?;
                Ok((values.map_err(Error::from),))
            })
        },
    )?;
    linker.allow_shadowing(false);
    Ok(())
}

fn imports_pairs(engine: &Engine, component: &Component) -> bool {
    let ty = component.component_type();
    let Some(import) = ty.get_import(engine, BATCH) else { return false };
    let ComponentItem::ComponentInstance(batch) = import.ty else { return false };
    let Some(export) = batch.get_export(engine, GET_MANY) else { return false };
    let ComponentItem::ComponentFunc(get_many) = export.ty else { return false };
    let mut results = get_many.results();
    let Some(Type::Result(result)) = results.next() else { return false };
    match result.ok() {
        Some(Type::List(list)) => matches!(list.ty(), Type::Tuple(_)),
        _ => false,
    }
}
