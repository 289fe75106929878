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
    wasi::link_bounded,
};

/// Links a component with the host.
///
/// # Errors
/// `Mismatch` where an interface has another shape than the one that is served.
pub(crate) fn link(app: &App, services: &Services) -> Result<InstancePre<State>, LoadError> {
    let linked = linker(app, services).and_then(|linker| linker.instantiate_pre(&app.component));
    linked.map_err(|error| LoadError::Mismatch { path: app.path().to_owned(), message: mismatch(&error) })
}

/// Which item of which import does not fit. wasmtime says it only in sentences; where they read otherwise than they do
/// now, they are shown as they are.
fn mismatch(error: &wasmtime::Error) -> String {
    let said: Vec<String> = error.chain().map(ToString::to_string).collect();
    let named = |sentence: &String| sentence.split('`').nth(1).map(str::to_owned);
    let [Some(interface), Some(item)] = [0, 1].map(|at| said.get(at).and_then(named)) else {
        return format!("{error:#}");
    };
    let causes = said.get(2..).unwrap_or_default().join(": ");
    let differs = match causes.ends_with("implementation is missing") {
        true => "which is not in that interface as it was published".to_owned(),
        false => format!("which has another type in that interface as it was published: {causes}"),
    };
    format!(
        "it imports {} of {interface}, {differs}; build it with the published WIT of that version",
        in_words(&item, &causes)
    )
}

/// `the method bucket.get` for `[method]bucket.get`.
fn in_words(item: &str, causes: &str) -> String {
    match item.strip_prefix('[').and_then(|item| item.split_once(']')) {
        Some((kind, name)) => format!("the {kind} {name}"),
        None if causes.contains("resource") => format!("the resource {item}"),
        None => format!("the function {item}"),
    }
}

fn linker(app: &App, services: &Services) -> Result<Linker<State>> {
    let mut linker = Linker::new(&app.engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    if app.engine.get_concurrency_support() {
        wasmtime_wasi::p3::add_to_linker(&mut linker)?;
        wasmtime_wasi_http::p3::add_to_linker(&mut linker)?;
    }
    link_bounded(&mut linker, app.engine.get_concurrency_support())?;
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
