//! What the log says of an app at its start.

use std::path::Path;

use slight_capabilities::Capability;
use slight_config::Config;
use slight_runtime::App;

use crate::{Kinds, imports, providers};

/// `app.wasm: key-value on local (redb), messaging on memory, whose data ends with slight`
pub fn announcement(app: &App, config: &Config, kinds: &Kinds) -> String {
    let path = Path::new(app.path());
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    let used = Capability::ALL.into_iter().filter(|capability| imports::uses(app, *capability));
    let told: Vec<String> = used.map(|capability| told(config, kinds, capability)).collect();
    if told.is_empty() { format!("{name}: no capabilities") } else { format!("{name}: {}", told.join("; ")) }
}

fn told(config: &Config, kinds: &Kinds, capability: Capability) -> String {
    let sections = providers::sections(config, capability);
    let names: Vec<String> = sections.iter().map(|section| providers::describe(config, section)).collect();
    let forgets = sections.iter().any(|section| {
        let declared = config.providers.get(*section);
        declared.and_then(|declared| kinds.find(&declared.kind)).is_some_and(|kind| kind.forgets)
    });
    match (names.is_empty(), forgets) {
        (true, _) => format!("{capability} without a route, so that every name is denied"),
        (false, false) => format!("{capability} on {}", names.join(" and ")),
        (false, true) => format!("{capability} on {}, whose data ends with slight", names.join(" and ")),
    }
}
