//! A component, compiled, with what it imports and what makes it run.

use std::{fs, io::ErrorKind, path::Path, sync::Arc};

use wasmtime::{
    Engine,
    component::{Component, types::ComponentItem},
};

use crate::{
    CodeCache, Limits, Services,
    compile::{check_kind, compile},
    epochs::Epochs,
    interfaces::{Service, nearest, nearest_export, service_for},
    linker::link,
    triggers,
};

/// Why a component cannot be run. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("cannot read the component {path}: {reason}{}", advice(.reason))]
    Unreadable {
        /// As it was given.
        path: String,
        /// Why.
        reason: std::io::Error,
    },
    /// The file holds something else.
    #[error(
        "{path} is not WebAssembly: its first bytes are not those of a component. Give the path of what was built, such as \
         cargo writes to target/wasm32-wasip2/release/"
    )]
    NotWasm {
        /// As it was given.
        path: String,
    },
    /// A core module.
    #[error(
        "{path} is a core module, not a component. Build it for the target wasm32-wasip2, or wrap it with `wasm-tools \
         component new`"
    )]
    CoreModule {
        /// As it was given.
        path: String,
    },
    /// Not valid, or of a proposal that is not enabled.
    #[error("{path} is not a valid component: {message}")]
    Invalid {
        /// As it was given.
        path: String,
        /// What the compiler says.
        message: String,
    },
    /// It begins with more memory than an instance may have.
    #[error(
        "{path} begins with a memory of {needed} bytes, and an instance may have {allowed} (limits.memory); raise that \
         to {needed} and what the component uses as it runs"
    )]
    MemoryTooSmall {
        /// As it was given.
        path: String,
        /// The largest memory that it begins with, in bytes.
        needed: u64,
        /// `limits.memory`, in bytes.
        allowed: usize,
    },
    /// It imports what nobody serves.
    #[error("{path} cannot run here: {}", unserved_text(.imports))]
    Unserved {
        /// As it was given.
        path: String,
        /// The imports.
        imports: Vec<String>,
    },
    /// An interface has another shape than the one served, or called, under its name.
    #[error("{path} cannot run here: {message}")]
    Mismatch {
        /// As it was given.
        path: String,
        /// What differs.
        message: String,
    },
    /// It exports nothing that makes it run.
    #[error(
        "{path} exports nothing that slight could start: it needs wasi:cli/run, wasi:http/incoming-handler (0.2), \
         wasi:http/handler (0.3) or wasi:messaging/incoming-handler; it exports {}", exports_text(.exports)
    )]
    NothingToRun {
        /// As it was given.
        path: String,
        /// What it does export.
        exports: Vec<String>,
    },
    /// The engine cannot be made.
    #[error("the WebAssembly engine cannot start: {0:#}")]
    Engine(wasmtime::Error),
}

fn advice(reason: &std::io::Error) -> &'static str {
    if reason.kind() == ErrorKind::NotFound { "; build it, or correct the path" } else { "" }
}

fn unserved_text(imports: &[String]) -> String {
    let said: Vec<String> = imports
        .iter()
        .map(|import| match nearest(import) {
            Some(near) => format!("it imports {import}, which is not served; the nearest that is served is {near}"),
            None => format!("it imports {import}, which is not served"),
        })
        .collect();
    said.join("; ")
}

fn exports_text(exports: &[String]) -> String {
    let said: Vec<String> = exports
        .iter()
        .map(|export| match nearest_export(export) {
            Some(near) => format!("{export} (the nearest of those is {near})"),
            None => export.clone(),
        })
        .collect();
    if said.is_empty() { "nothing".to_owned() } else { said.join(", ") }
}

/// An imported interface and who answers for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// For example `wasi:keyvalue/store@0.2.0-draft2`.
    pub name: String,
    /// Who answers; `None` when nobody does.
    pub service: Option<Service>,
}

/// What makes a component run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// `wasi:cli/run`: once, at the start.
    Command,
    /// `wasi:http/incoming-handler` or `wasi:http/handler`: every request.
    Http,
    /// `wasi:messaging/incoming-handler`: every message of a subscription.
    Messages,
}

impl Trigger {
    pub(crate) fn of(export: &str) -> Option<Self> {
        let (interface, version) = export.split_once('@')?;
        match interface {
            "wasi:cli/run" if version.starts_with("0.2.") || version == "0.3.0" => Some(Self::Command),
            "wasi:http/incoming-handler" if version.starts_with("0.2.") => Some(Self::Http),
            "wasi:http/handler" if version == "0.3.0" => Some(Self::Http),
            "wasi:messaging/incoming-handler" if version == "0.2.0-draft" => Some(Self::Messages),
            _ => None,
        }
    }
}

/// A component that has been read, checked and compiled.
pub struct App {
    pub(crate) engine: Engine,
    pub(crate) epochs: Arc<Epochs>,
    pub(crate) component: Component,
    path: String,
    imports: Vec<Import>,
    exports: Vec<String>,
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
        check_kind(&bytes, &shown)?;
        let ((engine, epochs), component) = compile(&bytes, &shown, limits, cache)?;
        let ty = component.component_type();
        let imports = ty.imports(&engine).map(|(name, item)| import(name, &item.ty)).collect();
        let exports = ty.exports(&engine).map(|(name, _)| name.to_owned()).collect();
        Ok(Self { engine, epochs, component, path: shown, imports, exports })
    }

    /// What it imports.
    pub fn imports(&self) -> &[Import] {
        &self.imports
    }

    /// What makes it run: each once.
    pub fn triggers(&self) -> Vec<Trigger> {
        let mut triggers: Vec<Trigger> = self.exports.iter().filter_map(|export| Trigger::of(export)).collect();
        triggers.dedup();
        triggers
    }

    /// The standard interfaces that it exports and nobody here calls.
    pub fn uncalled(&self) -> Vec<&str> {
        let standard = self.exports.iter().filter(|export| export.starts_with("wasi:"));
        standard.filter(|export| Trigger::of(export).is_none()).map(String::as_str).collect()
    }

    /// Whether it runs on this trigger.
    pub fn has(&self, trigger: Trigger) -> bool {
        self.triggers().contains(&trigger)
    }

    /// The path that it was loaded from.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Checks that all it imports is served, and that something makes it run, by linking it with the host.
    ///
    /// # Errors
    /// `Unserved` with every such import, `NothingToRun`, or `Mismatch` where one of its interfaces has another shape.
    pub fn check(&self) -> Result<(), LoadError> {
        let unserved = self.imports.iter().filter(|import| import.service.is_none());
        let imports: Vec<String> = unserved.map(|import| import.name.clone()).collect();
        if !imports.is_empty() {
            return Err(LoadError::Unserved { path: self.path.clone(), imports });
        }
        if self.triggers().is_empty() {
            return Err(LoadError::NothingToRun { path: self.path.clone(), exports: self.exports.clone() });
        }
        let pre = link(self, &Services::default())?;
        self.triggers().into_iter().try_for_each(|trigger| triggers::check(trigger, &pre)).map_err(|error| {
            LoadError::Mismatch {
                path: self.path.clone(),
                message: format!("{error:#}; build it with the published WIT of that version"),
            }
        })
    }
}

/// Types at the root are compared, not served; interfaces and functions must be served.
fn import(name: &str, item: &ComponentItem) -> Import {
    let service = match item {
        ComponentItem::ComponentInstance(_) => service_for(name),
        ComponentItem::Type(_) => Some(Service::Host),
        _ => None,
    };
    Import { name: name.to_owned(), service }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_component_exports_in_vain_is_known() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("app.wasm");
        let called = r#"(export "wasi:http/incoming-handler@0.2.3" (instance $i)) (export "my:own/api" (instance $i))"#;
        let watched = r#"(export "wasi:keyvalue/watcher@0.2.0-draft2" (instance $i))"#;
        for (exports, uncalled) in [(called, &[][..]), (watched, &["wasi:keyvalue/watcher@0.2.0-draft2"])] {
            fs::write(&path, wat::parse_str(format!("(component (instance $i) {exports})")).unwrap()).unwrap();
            let app = App::load(&path, &Limits { concurrency: 1, ..Limits::default() }, &CodeCache::Off).unwrap();
            assert_eq!(app.uncalled(), uncalled);
        }
    }
}
