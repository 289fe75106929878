//! All that guests may import, in one linker.

use wasmtime::{
    Result,
    component::{HasSelf, InstancePre, Linker, LinkerInstance, ResourceType, types::ComponentItem},
};

use crate::{
    App, LoadError, Services,
    bindings::wasi,
    interfaces::{Service, versions_of},
    key_value::{link_get, link_pairs},
    outbound::link_sending,
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
        true => "which is not in that interface as it is served here".to_owned(),
        false => format!("which has another type in that interface as it is served here: {causes}"),
    };
    let versions = interface.split('@').next().and_then(versions_of);
    let versions = versions.map(|versions| format!(" ({versions})")).unwrap_or_default();
    format!(
        "it imports {} of {interface}, {differs}{versions}; build it with the published WIT of a version that is served",
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
    link_sending(&mut linker, app.engine.get_concurrency_support())?;
    add_capabilities(&mut linker)?;
    link_get(&mut linker, services)?;
    link_pairs(&mut linker, &app.engine, &app.component)?;
    add_bare_resources(&mut linker, app)?;
    Ok(linker)
}

/// Adds the resources of imports that hold types alone: the engine wants each to be somebody's. Those that are another
/// import's under one more name are that one's.
fn add_bare_resources(linker: &mut Linker<State>, app: &App) -> Result<()> {
    let ty = app.component.component_type();
    let mut known = Vec::new();
    for ((name, item), import) in ty.imports(&app.engine).zip(app.imports()) {
        let add = import.service == Some(Service::Types);
        walk_resources(app, name, &item.ty, add.then(|| linker.root()), &mut known)?;
    }
    Ok(())
}

/// Notes the resources of an item, and adds those that are new to `linker`, if there is one.
fn walk_resources(
    app: &App,
    name: &str,
    item: &ComponentItem,
    mut linker: Option<LinkerInstance<'_, State>>,
    known: &mut Vec<ResourceType>,
) -> Result<()> {
    match item {
        ComponentItem::Resource(resource) if !known.contains(resource) => {
            known.push(*resource);
            let bare = ResourceType::host::<BareResource>();
            linker.map_or(Ok(()), |mut linker| linker.resource(name, bare, |_, _| Ok(())))
        }
        ComponentItem::ComponentInstance(instance) => {
            for (inner, export) in instance.exports(&app.engine) {
                let linker = match &mut linker {
                    Some(linker) => Some(linker.instance(name)?),
                    None => None,
                };
                walk_resources(app, inner, &export.ty, linker, known)?;
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Behind a resource that no function makes.
struct BareResource;

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
