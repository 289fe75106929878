//! Why a component cannot be run, in sentences that say what to do.

use std::io::ErrorKind;

use crate::{Trigger, interfaces::nearest, trigger::nearest_export};

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
    #[error("{path} is a core module, not a component. {}", core_module_advice(.module))]
    CoreModule {
        /// As it was given.
        path: String,
        /// What decides how it becomes a component.
        module: CoreModule,
    },
    /// Not valid, or of a proposal that is not enabled.
    #[error("{}", invalid_text(.path, .message))]
    Invalid {
        /// As it was given.
        path: String,
        /// What the compiler says.
        message: String,
    },
    /// It has imports with a label in place of a name.
    #[error("{path} cannot run here: {}", labels_text(.labels))]
    Labelled {
        /// As it was given.
        path: String,
        /// Each label with the interface that it stands for.
        labels: Vec<(String, String)>,
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
        /// What each is, such as `interface` or `function`, and its name.
        imports: Vec<(&'static str, String)>,
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
         wasi:http/handler (0.3) or wasi:messaging/incoming-handler (0.2.0-draft); it exports {}", exports_text(.exports)
    )]
    NothingToRun {
        /// As it was given.
        path: String,
        /// What it does export.
        exports: Vec<String>,
    },
    /// A trigger was chosen whose export it does not have.
    #[error(
        "the trigger {:?} is chosen, and {path} does not export {}; it can run on {} (--trigger, or triggers in \
         [component])", .trigger.name(), .trigger.exports(), trigger_names(.exported)
    )]
    NotExported {
        /// As it was given.
        path: String,
        /// The chosen one.
        trigger: Trigger,
        /// Those that it has.
        exported: Vec<Trigger>,
    },
    /// The engine cannot be made.
    #[error("the WebAssembly engine cannot start: {0:#}")]
    Engine(wasmtime::Error),
}

fn advice(reason: &std::io::Error) -> &'static str {
    if reason.kind() == ErrorKind::NotFound { "; build it, or correct the path" } else { "" }
}

/// What decides how a core module becomes a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CoreModule {
    /// It imports the system interface of WASI 0.1, and starts by itself.
    Preview1Command,
    /// It imports the system interface of WASI 0.1, and is a library.
    Preview1Library,
    /// It describes the component that it is for.
    Described,
    /// Anything else.
    Plain,
}

fn core_module_advice(module: &CoreModule) -> String {
    let adapter = match module {
        CoreModule::Described => {
            return "Build it for the target wasm32-wasip2, or wrap it with `wasm-tools component new MODULE -o COMPONENT`"
                .to_owned();
        }
        CoreModule::Plain => {
            return "Build it for the target wasm32-wasip2; it says nothing of the interfaces that it needs, so no tool can \
                    wrap it as it is"
                .to_owned();
        }
        CoreModule::Preview1Command => "command",
        CoreModule::Preview1Library => "reactor",
    };
    format!(
        "Build it for the target wasm32-wasip2, whose programs are components. Or wrap it: it imports \
         wasi_snapshot_preview1, so that takes the adapter wasi_snapshot_preview1.{adapter}.wasm of a release of wasmtime: \
         `wasm-tools component new MODULE --adapt wasi_snapshot_preview1.{adapter}.wasm -o COMPONENT`"
    )
}

/// The engine says of a proposal that is not enabled what it says of bytes that make no sense: where they are.
fn invalid_text(path: &str, message: &str) -> String {
    let disabled =
        ["feature is not active", "feature is not enabled", "support is not enabled", "requires the component model"];
    match disabled.iter().any(|part| message.contains(part)) {
        true => format!("{path} uses what is not enabled here: {message}; build it without that"),
        false => format!("{path} is not a valid component: {message}"),
    }
}

fn labels_text(labels: &[(String, String)]) -> String {
    let said: Vec<String> = labels
        .iter()
        .map(|(label, interface)| {
            format!(
                "it imports {interface} under the label {label:?} (\"implements\"), and no route can lead to a label yet; \
                 import {interface} under its own name, and tell the backends apart by the names that are opened"
            )
        })
        .collect();
    said.join("; ")
}

fn unserved_text(imports: &[(&'static str, String)]) -> String {
    let said: Vec<String> = imports.iter().map(|(what, import)| unserved(what, import)).collect();
    said.join("; ")
}

fn unserved(what: &str, import: &str) -> String {
    match (what, nearest(import)) {
        ("interface", Some(near)) => {
            format!("it imports {import}, which is not served; the nearest that is served is {near}")
        }
        ("interface", None) => format!("it imports {import}, which is not served"),
        ("component" | "core module", _) => {
            format!(
                "it imports the {what} {import}, and only interfaces are served; join the two first, as `wac plug` does"
            )
        }
        (what, _) => format!("it imports the {what} {import} outside of any interface, and only interfaces are served"),
    }
}

fn trigger_names(triggers: &[Trigger]) -> String {
    let names: Vec<String> = triggers.iter().map(|trigger| format!("{:?}", trigger.name())).collect();
    names.join(" and ")
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
