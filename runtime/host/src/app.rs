//! A component, compiled, with what it imports and what makes it run.

use std::{fs, path::Path, sync::Arc};

use wasmtime::{
    Engine,
    component::{Component, types::ComponentItem},
};

use crate::{
    CodeCache, Limits, LoadError, Services, Trigger,
    compile::{check_kind, compile},
    epochs::Epochs,
    interfaces::{Service, service_for},
    linker::link,
    trigger::default_triggers,
    triggers,
};

/// An imported interface and who answers for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// For example `wasi:keyvalue/store@0.2.0-draft2`.
    pub name: String,
    /// Who answers; `None` when nobody does.
    pub service: Option<Service>,
    /// What is imported: an interface, or what no host serves.
    what: &'static str,
}

/// A component that has been read, checked and compiled.
pub struct App {
    pub(crate) engine: Engine,
    pub(crate) epochs: Arc<Epochs>,
    pub(crate) component: Component,
    path: String,
    imports: Vec<Import>,
    exports: Vec<String>,
    /// What it could run on.
    exported: Vec<Trigger>,
    /// What it runs on: by default, or since somebody chose.
    triggers: Vec<Trigger>,
}

impl App {
    /// Reads and compiles a component; from the cache if it was compiled before.
    ///
    /// # Errors
    /// When the file is missing, is no component, is not valid, or begins with more memory than `limits` allow. What it
    /// imports is not judged here.
    pub fn load(path: &Path, limits: &Limits, cache: &CodeCache) -> Result<Self, LoadError> {
        let shown = path.display().to_string();
        let bytes = fs::read(path).map_err(|reason| LoadError::Unreadable { path: shown.clone(), reason })?;
        Self::compile(&shown, &bytes, limits, cache)
    }

    /// Compiles a component that messages and the log call `name`.
    ///
    /// # Errors
    /// Those of [`load`](Self::load).
    pub fn compile(name: &str, bytes: &[u8], limits: &Limits, cache: &CodeCache) -> Result<Self, LoadError> {
        check_kind(bytes, name)?;
        let ((engine, epochs), component) = compile(bytes, name, limits, cache)?;
        let ty = component.component_type();
        let imports = ty.imports(&engine).map(|(name, item)| import(&engine, name, &item.ty)).collect();
        let exports: Vec<String> = ty.exports(&engine).map(|(name, _)| name.to_owned()).collect();
        let mut exported: Vec<Trigger> = exports.iter().filter_map(|export| Trigger::of(export)).collect();
        exported.sort_unstable();
        exported.dedup();
        let triggers = default_triggers(&exported);
        Ok(Self { engine, epochs, component, path: name.to_owned(), imports, exports, exported, triggers })
    }

    /// Runs it on these triggers alone, in place of the default: its handlers, or its command if it has none. Whether it
    /// has them is for [`App::check`] to say.
    pub fn choose(&mut self, triggers: &[Trigger]) {
        self.triggers = triggers.to_vec();
        self.triggers.sort_unstable();
        self.triggers.dedup();
    }

    /// What it imports.
    pub fn imports(&self) -> &[Import] {
        &self.imports
    }

    /// What makes it run: each once.
    pub fn triggers(&self) -> &[Trigger] {
        &self.triggers
    }

    /// What it could run on as well, and does not.
    pub fn spare_triggers(&self) -> impl Iterator<Item = Trigger> {
        self.exported.iter().copied().filter(|trigger| !self.has(*trigger))
    }

    /// The standard interfaces that it exports and nobody here calls.
    pub fn uncalled(&self) -> Vec<&str> {
        let standard = self.exports.iter().filter(|export| export.starts_with("wasi:"));
        standard.filter(|export| Trigger::of(export).is_none()).map(String::as_str).collect()
    }

    /// Whether it runs on this trigger.
    pub fn has(&self, trigger: Trigger) -> bool {
        self.triggers.contains(&trigger)
    }

    /// The path that it was loaded from, or the name that it was given.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Checks that all it imports is served, and that something makes it run, by linking it with the host.
    ///
    /// # Errors
    /// `Unserved` with every such import, `NothingToRun`, `NotExported` where a trigger was chosen that it does not have, or
    /// `Mismatch` where one of its interfaces has another shape.
    pub fn check(&self) -> Result<(), LoadError> {
        let unserved = self.imports.iter().filter(|import| import.service.is_none());
        let imports: Vec<_> = unserved.map(|import| (import.what, import.name.clone())).collect();
        if !imports.is_empty() {
            return Err(LoadError::Unserved { path: self.path.clone(), imports });
        }
        if self.exported.is_empty() {
            return Err(LoadError::NothingToRun { path: self.path.clone(), exports: self.exports.clone() });
        }
        if let Some(trigger) = self.triggers.iter().copied().find(|trigger| !self.exported.contains(trigger)) {
            return Err(LoadError::NotExported { path: self.path.clone(), trigger, exported: self.exported.clone() });
        }
        let pre = link(self, &Services::default())?;
        self.triggers.iter().try_for_each(|trigger| triggers::check(*trigger, &pre)).map_err(|error| {
            LoadError::Mismatch {
                path: self.path.clone(),
                message: format!("{error:#}; build it with the published WIT of that version"),
            }
        })
    }
}

fn import(engine: &Engine, name: &str, item: &ComponentItem) -> Import {
    let what = match item {
        ComponentItem::ComponentInstance(_) => "interface",
        ComponentItem::ComponentFunc(_) | ComponentItem::CoreFunc(_) => "function",
        ComponentItem::Component(_) => "component",
        ComponentItem::Module(_) => "core module",
        ComponentItem::Type(_) | ComponentItem::Resource(_) => "type",
    };
    let service = service_for(name).filter(|_| what == "interface");
    let service = service.or_else(|| has_types_alone(engine, item).then_some(Service::Types));
    Import { name: name.to_owned(), service, what }
}

/// Whether there is nothing to call, so that nobody has to answer: names for types, of other interfaces or its own. A
/// resource among them is one that no instance can ever get.
fn has_types_alone(engine: &Engine, item: &ComponentItem) -> bool {
    match item {
        ComponentItem::Type(_) | ComponentItem::Resource(_) => true,
        ComponentItem::ComponentInstance(instance) => {
            instance.exports(engine).all(|(_, export)| has_types_alone(engine, &export.ty))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loaded(component: &str) -> App {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("app.wasm");
        fs::write(&path, wat::parse_str(component).unwrap()).unwrap();
        App::load(&path, &Limits { concurrency: 1, ..Limits::default() }, &CodeCache::Off).unwrap()
    }

    #[test]
    fn what_a_component_exports_in_vain_is_known() {
        let called = r#"(export "wasi:http/incoming-handler@0.2.3" (instance $i)) (export "my:own/api" (instance $i))"#;
        let watched = r#"(export "wasi:keyvalue/watcher@0.2.0-draft2" (instance $i))"#;
        for (exports, uncalled) in [(called, &[][..]), (watched, &["wasi:keyvalue/watcher@0.2.0-draft2"])] {
            assert_eq!(loaded(&format!("(component (instance $i) {exports})")).uncalled(), uncalled);
        }
    }

    const TYPES_OF_HTTP: &str = r#"(import "wasi:http/types@0.3.0" (instance $types
        (export "request" (type $request (sub resource)))
        (export "response" (type $response (sub resource)))
    )) (alias export $types "request" (type $request)) (alias export $types "response" (type $response))"#;

    #[test]
    fn an_import_of_types_alone_needs_nobody() {
        let handler = format!(
            r#"{TYPES_OF_HTTP} (import "wasi:http/handler@0.3.0" (instance
                (export "request" (type (eq $request))) (export "response" (type (eq $response)))))"#
        );
        for import in [
            r#"(import "wasi:foo/bar@1.0.0" (instance))"#,
            r#"(import "wasi:foo/bar" (instance (type $t (record (field "a" u8))) (export "t" (type (eq $t)))))"#,
            r#"(import "wasi:foo/bar" (instance (export "inner" (instance (export "r" (type (sub resource)))))))"#,
            r#"(import "wasi:keyvalue/store@0.2.0-draft9" (instance (export "bucket" (type (sub resource)))))"#,
            r#"(import "wasi:keyvalue/store@0.2.0-draft2" (instance))"#,
            r#"(import "wasi:http/handler@0.3.7" (instance))"#,
            r#"(import "r" (type (sub resource)))"#,
            r#"(import "r" (type $r (sub resource))) (import "wasi:foo/bar" (instance (export "r" (type (eq $r)))))"#,
            r#"(type $u (record (field "a" u8))) (import "t" (type (eq $u)))"#,
            &handler,
        ] {
            let app = loaded(&format!("(component {import})"));
            assert!(app.imports().iter().all(|import| import.service.is_some()), "{import}");
            link(&app, &Services::default()).map(drop).unwrap_or_else(|error| panic!("{import}: {error}"));
        }
    }

    #[test]
    fn an_import_of_what_can_be_called_needs_somebody() {
        for (import, said) in [
            (
                r#"(import "wasi:foo/bar@1.0.0" (instance (export "f" (func))))"#,
                "imports wasi:foo/bar@1.0.0, which is not served",
            ),
            (
                r#"(import "wasi:foo/bar" (instance (export "inner" (instance (export "f" (func))))))"#,
                "imports wasi:foo/bar, which is not served",
            ),
            (r#"(import "f" (func))"#, "imports the function f outside of any interface"),
            (
                r#"(import "m" (core module))"#,
                "imports the core module m, and only interfaces are served; join the two",
            ),
        ] {
            let refused = loaded(&format!("(component {import})")).check().unwrap_err().to_string();
            assert!(refused.contains(said), "{refused}");
        }
    }

    #[test]
    fn a_function_that_is_not_there_is_named_with_the_versions_that_are() {
        let import = r#"(import "wasi:random/random@0.3.9" (instance (export "get-random-word" (func (result u64)))))"#;
        let refused = link(&loaded(&format!("(component {import})")), &Services::default()).err().unwrap().to_string();
        let said = "imports the function get-random-word of wasi:random/random@0.3.9, which is not in that interface as it is \
                    served here (0.2.0 to 0.2.12, 0.3.0)";
        assert!(refused.contains(said), "{refused}");
    }

    #[test]
    fn handlers_run_by_default_and_what_is_chosen_in_their_place() {
        let run = r#"(instance $i) (export "wasi:cli/run@0.3.1" (instance $i))"#;
        let handler = r#"(export "wasi:http/handler@0.3.1" (instance $i)) (export "wasi:http/incoming-handler@0.2.0" (instance $i))"#;
        let mut app = loaded(&format!("(component {run} {handler})"));
        assert_eq!(app.triggers(), [Trigger::Http]);
        assert_eq!(app.spare_triggers().collect::<Vec<_>>(), [Trigger::Command]);
        app.choose(&[Trigger::Http, Trigger::Command, Trigger::Http]);
        assert_eq!((app.triggers(), app.spare_triggers().count()), (&[Trigger::Command, Trigger::Http][..], 0));
        app.choose(&[Trigger::Messages]);
        let refused = app.check().unwrap_err().to_string();
        for part in [
            "the trigger \"messaging\" is chosen",
            "does not export wasi:messaging/incoming-handler",
            "\"command\" and \"http\"",
        ] {
            assert!(refused.contains(part), "{refused}");
        }
        assert_eq!(loaded(&format!("(component {run})")).triggers(), [Trigger::Command]);
    }
}
