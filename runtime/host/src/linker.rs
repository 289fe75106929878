//! All that guests may import, in one linker.

use wasmtime::{
    Result,
    component::{HasSelf, InstancePre, Linker},
};

use crate::{
    App, LoadError, Services,
    bindings::wasi,
    key_value::{link_get, link_pairs},
    state::State,
};

/// Links a component with the host.
///
/// # Errors
/// `Unserved`, or `Mismatch` where an interface has another shape than the one that is served.
pub(crate) fn link(app: &App, services: &Services) -> Result<InstancePre<State>, LoadError> {
    app.check()?;
    let linked = linker(app, services).and_then(|linker| linker.instantiate_pre(&app.component));
    linked.map_err(|error| LoadError::Mismatch { path: app.path().to_owned(), message: format!("{error:#}") })
}

fn linker(app: &App, services: &Services) -> Result<Linker<State>> {
    let mut linker = Linker::new(&app.engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi::p3::add_to_linker(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p3::add_to_linker(&mut linker)?;
    add_capabilities(&mut linker)?;
    link_get(&mut linker, services)?;
    link_pairs(&mut linker, &app.engine, &app.component)?;
    Ok(linker)
}

/// Adds the interfaces of `wit/` one by one: the world as a whole would bring wasi:io a second time.
fn add_capabilities(linker: &mut Linker<State>) -> Result<()> {
    macro_rules! add {
        ($($interface:ident :: $name:ident),* $(,)?) => {
            $(wasi::$interface::$name::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;)*
        };
    }
    add!(
        keyvalue0_2_0_draft2::store,
        keyvalue0_2_0_draft2::atomics,
        keyvalue0_2_0_draft2::batch,
        keyvalue0_2_0_draft::store,
        keyvalue0_2_0_draft::atomics,
        keyvalue0_2_0_draft::batch,
        blobstore::types,
        blobstore::container,
        blobstore::blobstore,
        messaging::types,
        messaging::producer,
        messaging::request_reply,
        config0_2_0_rc_1::store,
        config0_2_0_draft::store,
        config0_2_0_draft_2024_09_27::store,
        logging::logging,
    );
    Ok(())
}
