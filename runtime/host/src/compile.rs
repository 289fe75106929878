//! From the bytes of a file to a compiled component and the engine that suits it.

use std::{
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

use wasmparser::{ComponentExternName, ComponentTypeRef, Parser, Payload};
use wasmtime::{Cache, component::Component};

use crate::{
    CodeCache, CoreModule, Limits, LoadError, Trigger,
    engine::{Clocked, Tasks, engine, engine_without_pool},
};

/// Refuses what is not a component, and one that imports by labels, or components, which the engine would call invalid.
///
/// # Errors
/// `CoreModule`, `NotWasm`, `Labelled` or `Unserved`.
pub(crate) fn check_kind(bytes: &[u8], path: &str) -> Result<(), LoadError> {
    if Parser::is_component(bytes) {
        check_imports(bytes, path)
    } else if Parser::is_core_wasm(bytes) {
        Err(LoadError::CoreModule { path: path.to_owned(), module: core_module(bytes) })
    } else {
        Err(LoadError::NotWasm { path: path.to_owned() })
    }
}

/// How a core module may become a component.
fn core_module(bytes: &[u8]) -> CoreModule {
    let (mut preview1, mut starts, mut described) = (false, false, false);
    // What cannot be read says nothing.
    for payload in Parser::new(0).parse_all(bytes).map_while(Result::ok) {
        match payload {
            Payload::ImportSection(imports) => {
                preview1 |= imports.into_imports().flatten().any(|import| import.module == "wasi_snapshot_preview1");
            }
            Payload::ExportSection(exports) => {
                starts |= exports.into_iter().flatten().any(|export| export.name == "_start");
            }
            Payload::CustomSection(section) => described |= section.name().starts_with("component-type"),
            _ => {}
        }
    }
    match (preview1, starts, described) {
        (true, true, _) => CoreModule::Preview1Command,
        (true, false, _) => CoreModule::Preview1Library,
        (false, _, true) => CoreModule::Described,
        (false, _, false) => CoreModule::Plain,
    }
}

/// Refuses imports that the engine has no words for.
fn check_imports(bytes: &[u8], path: &str) -> Result<(), LoadError> {
    let (path, mut labels, mut components) = (path.to_owned(), Vec::new(), Vec::new());
    for name in names(bytes) {
        match (name.import, name.implements) {
            (Some(_), Some(interface)) => labels.push((name.name.to_owned(), interface.to_owned())),
            (Some(ComponentTypeRef::Component(_)), None) => components.push(("component", name.name.to_owned())),
            _ => {}
        }
    }
    match (labels.is_empty(), components.is_empty()) {
        (false, _) => Err(LoadError::Labelled { path, labels }),
        (true, false) => Err(LoadError::Unserved { path, imports: components }),
        (true, true) => Ok(()),
    }
}

/// Compiles a component for the engine that suits it, or takes what was compiled before from the cache.
///
/// # Errors
/// `Invalid`, or `MemoryTooSmall`; `Engine` when none can be made.
pub(crate) fn compile(
    bytes: &[u8],
    path: &str,
    limits: &Limits,
    cache: &CodeCache,
) -> Result<(Clocked, Component), LoadError> {
    let _done = say_if_slow(path.to_owned());
    let kept = cache.open();
    let compiled = compile_for_either(bytes, path, limits, kept.as_ref());
    if kept.is_some() {
        cache.tighten();
    }
    compiled
}

fn compile_for_either(
    bytes: &[u8],
    path: &str,
    limits: &Limits,
    cache: Option<&Cache>,
) -> Result<(Clocked, Component), LoadError> {
    let without = || compile_for(Tasks::Without, bytes, path, limits, cache);
    match (!needs_tasks(bytes)).then(without) {
        // It may use tasks without a name for them; what else is wrong with it is wrong once more.
        None | Some(Err(LoadError::Invalid { .. })) => compile_for(Tasks::With, bytes, path, limits, cache),
        Some(ended) => ended,
    }
}

/// Logs that a component is compiled, if that is not over within a second. What it gives is to be kept until then.
fn say_if_slow(path: String) -> mpsc::Sender<()> {
    let (done, waiting) = mpsc::channel();
    let say = move || {
        if waiting.recv_timeout(Duration::from_secs(1)) == Err(RecvTimeoutError::Timeout) {
            tracing::info!("compiling {path}, which is done once if the code can be kept");
        }
    };
    // Without a thread it is not said.
    let _ = thread::Builder::new().name("compiling".into()).spawn(say);
    done
}

fn compile_for(
    tasks: Tasks,
    bytes: &[u8],
    path: &str,
    limits: &Limits,
    cache: Option<&Cache>,
) -> Result<(Clocked, Component), LoadError> {
    let pooled = engine(limits, cache, tasks)?;
    if let Ok(component) = Component::from_binary(&pooled.0, bytes) {
        check_memory(&component, limits, path)?;
        return Ok((pooled, component));
    }
    // A component with more memories, tables or modules than a slot of the pool has is refused by the pool alone.
    let engine = engine_without_pool(cache, tasks)?;
    let component = Component::from_binary(&engine.0, bytes)
        .map_err(|error| LoadError::Invalid { path: path.to_owned(), message: format!("{error:#}") })?;
    check_memory(&component, limits, path)?;
    tracing::warn!("{path} does not fit the pool of instances; they are allocated one by one, which is slower");
    Ok((engine, component))
}

/// Whether a component says by its names that it needs the component model's tasks. One that does not may still use
/// them between its own parts: it is then not valid on an engine without them.
fn needs_tasks(bytes: &[u8]) -> bool {
    names(bytes).iter().any(|name| is_of_tasks(name.name))
}

/// The name of an import or export.
struct Name<'a> {
    /// What is imported; none of an export.
    import: Option<ComponentTypeRef>,
    name: &'a str,
    /// The interface, where the name is a label.
    implements: Option<&'a str>,
}

impl<'a> Name<'a> {
    fn new(import: Option<ComponentTypeRef>, name: &ComponentExternName<'a>) -> Self {
        Self { import, name: name.name, implements: name.implements }
    }
}

/// What a component imports and exports itself, and not the components within it. What is wrong with it is for the
/// compiler to say.
fn names(bytes: &[u8]) -> Vec<Name<'_>> {
    let (mut names, mut depth) = (Vec::new(), 0_usize);
    for payload in Parser::new(0).parse_all(bytes).map_while(Result::ok) {
        match payload {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(imports) if depth == 0 => {
                names.extend(imports.into_iter().flatten().map(|import| Name::new(Some(import.ty), &import.name)));
            }
            Payload::ComponentExportSection(exports) if depth == 0 => {
                names.extend(exports.into_iter().flatten().map(|export| Name::new(None, &export.name)));
            }
            _ => {}
        }
    }
    names
}

/// All of WASI 0.3; and HTTP of either version, whose handlers wasmtime-wasi-http runs as tasks.
fn is_of_tasks(name: &str) -> bool {
    name.contains("@0.3.") || Trigger::of(name) == Some(Trigger::Http)
}

/// A component that begins with more memory than it may have fails at every start of an instance: better at the first.
fn check_memory(component: &Component, limits: &Limits, path: &str) -> Result<(), LoadError> {
    let needed = initial_memory(component);
    if needed > limits.memory {
        let (path, needed) = (path.to_owned(), needed as u64);
        return Err(LoadError::MemoryTooSmall { path, needed, allowed: limits.memory });
    }
    Ok(())
}

/// The largest memory that an instance begins with, in bytes.
pub(crate) fn initial_memory(component: &Component) -> usize {
    const PAGE: u64 = 64 * 1024;
    let pages = component.resources_required().and_then(|resources| resources.max_initial_memory_size).unwrap_or(0);
    usize::try_from(pages.saturating_mul(PAGE)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compiled(component: &str) -> Result<wasmtime::Engine, LoadError> {
        let bytes = wat::parse_str(component).unwrap();
        let limits = Limits { concurrency: 1, ..Limits::default() };
        compile(&bytes, "app.wasm", &limits, &CodeCache::Off).map(|((engine, _), _)| engine)
    }

    #[test]
    fn a_component_without_tasks_runs_on_an_engine_without_them() {
        let inner = r#"(component (component (import "wasi:http/types@0.3.0" (instance))) (core module))"#;
        let named = r#"(component (import "wasi:keyvalue/store@0.2.0-draft2" (instance)))"#;
        for component in ["(component)", inner, named] {
            assert!(!compiled(component).unwrap().get_concurrency_support(), "{component}");
        }
    }

    #[test]
    fn a_component_with_tasks_runs_on_an_engine_with_them() {
        let imported = r#"(component (import "wasi:random/random@0.3.0" (instance)))"#;
        let handler = r#"(component (instance $i) (export "wasi:http/incoming-handler@0.2.3" (instance $i)))"#;
        let exported = r#"(component (instance $i) (export "wasi:http/handler@0.3.0" (instance $i)))"#;
        let unnamed = "(component (type (stream u8)))";
        for component in [imported, handler, exported, unnamed] {
            let engine = compiled(component).unwrap();
            assert!(engine.get_concurrency_support() && engine.get_pooling_config().is_some(), "{component}");
        }
    }

    #[test]
    fn a_component_that_no_slot_of_the_pool_holds_runs_without_it() {
        let memories = "(core instance (instantiate $m))".repeat(10);
        for (tasks, more) in [(false, ""), (true, "(type (stream u8))")] {
            let engine = compiled(&format!("(component {more} (core module $m (memory 1)) {memories})")).unwrap();
            assert!(engine.get_pooling_config().is_none());
            assert_eq!(engine.get_concurrency_support(), tasks);
        }
    }

    #[test]
    fn what_is_wrong_with_a_component_is_said() {
        let mut bytes = wat::parse_str("(component (core module))").unwrap();
        bytes.truncate(bytes.len() - 1);
        let refused = compile(&bytes, "app.wasm", &Limits::default(), &CodeCache::Off).err().unwrap();
        assert!(refused.to_string().contains("app.wasm is not a valid component: "), "{refused}");
    }

    #[test]
    fn a_core_module_is_told_what_it_takes_to_become_a_component() {
        let preview1 = r#"(import "wasi_snapshot_preview1" "fd_write" (func))"#;
        for (module, parts) in [
            (
                format!(r#"(module {preview1} (func (export "_start")))"#),
                &["--adapt wasi_snapshot_preview1.command.wasm"][..],
            ),
            (format!("(module {preview1})"), &["--adapt wasi_snapshot_preview1.reactor.wasm", "wasm32-wasip2"]),
            (r#"(module (@custom "component-type:app" "x"))"#.to_owned(), &["`wasm-tools component new MODULE -o"]),
            ("(module)".to_owned(), &["wasm32-wasip2", "says nothing"]),
        ] {
            let refused = check_kind(&wat::parse_str(&module).unwrap(), "app.wasm").unwrap_err().to_string();
            assert!(parts.iter().all(|part| refused.contains(part)), "{module}: {refused}");
        }
    }

    #[test]
    fn an_import_of_a_component_is_refused_by_name() {
        let component = wat::parse_str(r#"(component (import "c" (component)))"#).unwrap();
        let refused = check_kind(&component, "app.wasm").unwrap_err().to_string();
        assert!(refused.contains("imports the component c, and only interfaces are served; join the two"), "{refused}");
    }

    #[test]
    fn a_labelled_import_is_named_with_its_interface() {
        let labelled = r#"(component (import "cache" (implements "wasi:keyvalue/store@0.2.0-draft2") (instance)))"#;
        let refused = check_kind(&wat::parse_str(labelled).unwrap(), "app.wasm").unwrap_err().to_string();
        let parts =
            ["imports wasi:keyvalue/store@0.2.0-draft2 under the label \"cache\"", "no route can lead to a label yet"];
        assert!(parts.iter().all(|part| refused.contains(part)), "{refused}");
        // One within is between the component's own parts, and not for the host.
        let within = wat::parse_str(format!("(component {labelled})")).unwrap();
        assert!(check_kind(&within, "app.wasm").is_ok());
        let refused = compile(&within, "app.wasm", &Limits::default(), &CodeCache::Off).err().unwrap().to_string();
        assert!(refused.contains("uses what is not enabled here") && refused.contains("cm-implements"), "{refused}");
    }

    #[test]
    fn a_component_that_begins_with_more_memory_than_it_may_have_is_refused() {
        let large = "(component (core module $m (memory 65536)) (core instance (instantiate $m)))";
        assert!(matches!(compiled(large), Err(LoadError::MemoryTooSmall { needed: 0x1_0000_0000, .. })));
    }
}
