//! What stands on the page of a provider holds: its table is that of the settings, and its TOML works.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;
use slight_capabilities::{Capability, ProviderKind};

use crate::{
    check::{Failure, Outcome, equal},
    names,
    suite::{block_on, verdict},
};

/// What the configuration has read from the TOML of the page.
pub struct Parsed {
    /// The settings of the sections of this kind.
    pub sections: Vec<Value>,
    /// Whether some name is routed, by capability.
    pub routed: [bool; 3],
}

/// Requires that the page has the table of the settings as it is made from them.
pub fn has_table(page: &str, table: &str) -> Outcome {
    match page.contains(table) {
        true => Ok(()),
        false => Err(Failure::new(format!("the page needs this table:\n\n{table}"))),
    }
}

/// Requires that the first TOML of the page is read, routes names to all that the provider offers, and connects.
///
/// Files are made below `directory`. `real` gives the settings to use instead of those of the page, for a server of the
/// tests, or says that there is no such server.
pub fn toml_works(
    kind: &ProviderKind,
    page: &str,
    directory: &Path,
    parse: impl FnOnce(&str, &Path) -> Result<Parsed, String>,
    real: impl FnOnce() -> Result<Value, String>,
) -> Outcome {
    let directory = Directory::new(directory)?;
    let text = page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next());
    let text = text.ok_or_else(|| Failure::new("the page has no TOML"))?;
    let parsed = parse(text, &directory.0).map_err(Failure::new)?;
    equal("the capabilities that the TOML routes", parsed.routed, Capability::ALL.map(|one| kind.offers(one)))?;
    let outcome = match real() {
        Err(missing) => Err(Failure::skipped(missing)),
        Ok(real) => block_on(all_connect(kind, parsed.sections, real)),
    };
    verdict(outcome, format_args!("the page of {}", kind.name))
}

async fn all_connect(kind: &ProviderKind, sections: Vec<Value>, real: Value) -> Outcome {
    equal("whether the TOML has a section of the kind", sections.is_empty(), false)?;
    for mut settings in sections {
        if let (Some(settings), Value::Object(real)) = (settings.as_object_mut(), real.clone()) {
            settings.extend(real);
        }
        let provider = kind.connect(settings).await.map_err(|error| Failure::from(error).within("connecting"))?;
        for capability in kind.capabilities {
            let prepared = provider.prepare(*capability).await;
            prepared.map_err(|error| Failure::from(error).within(format_args!("preparing {capability}")))?;
        }
        provider.ping().await.map_err(|error| Failure::from(error).within("asking for a sign of life"))?;
    }
    Ok(())
}

/// A directory that nobody else uses. It goes with this value.
struct Directory(PathBuf);

impl Directory {
    fn new(parent: &Path) -> Outcome<Self> {
        let path = parent.join(names::unique());
        let made = fs::create_dir_all(&path);
        made.map_err(|error| Failure::new(format!("cannot make the directory {}: {error}", path.display())))?;
        Ok(Self(path))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // What stays is in the folder of the build.
        _ = fs::remove_dir_all(&self.0);
    }
}
