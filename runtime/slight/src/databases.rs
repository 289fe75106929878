//! Databases of this machine that one section at a time can have open.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf, absolute},
};

use anyhow::{Result, bail};
use slight_capabilities::Capability;
use slight_config::{Config, ProviderSection};

use crate::{Kinds, providers};

/// Finds routed sections that would keep each other from their database, which shows only once both have it open.
///
/// # Errors
/// The first two, with what to do.
pub fn check_apart(config: &Config, kinds: &Kinds) -> Result<()> {
    let mut seen = BTreeMap::new();
    for capability in Capability::ALL {
        for section in providers::sections(config, capability) {
            let Some(path) = config.providers.get(section).and_then(|declared| database(declared, kinds)) else {
                continue;
            };
            match seen.insert(path.clone(), section) {
                Some(other) if other != section => bail!(
                    "[providers.{other}] and [providers.{section}] have one database, {}, which one section at a time can \
                     have open; let all routes to it lead to one of them",
                    path.display()
                ),
                _ => {}
            }
        }
    }
    Ok(())
}

/// Where the database of a section is, if it locks one.
pub fn database(section: &ProviderSection, kinds: &Kinds) -> Option<PathBuf> {
    let setting = kinds.find(&section.kind)?.exclusive?;
    section.settings.get(setting)?.as_str().map(|path| place(Path::new(path)))
}

/// One path for all that lead to the same place, as far as that exists.
fn place(path: &Path) -> PathBuf {
    path.canonicalize().or_else(|_| absolute(path)).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
#[cfg(all(feature = "file", feature = "redb", feature = "sled"))]
mod tests {
    use super::*;
    use crate::builtin;

    fn refusal(toml: &str) -> Option<String> {
        let env = |name: &str| std::env::var(name);
        let source = slight_config::Source { name: "slight.toml", text: toml, dir: Path::new("/data"), env: &env };
        let config = Config::parse(&source, &builtin()).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        check_apart(&config, &builtin()).err().map(|error| error.to_string())
    }

    fn sections(kind: &str, paths: [&str; 2]) -> String {
        let [a, b] = paths;
        format!("[providers.a]\ntype='{kind}'\npath='{a}'\n[providers.b]\ntype='{kind}'\npath='{b}'\n")
    }

    #[test]
    fn two_sections_cannot_have_one_database() {
        for kind in ["redb", "sled"] {
            let toml = sections(kind, ["none/x", "./none/./x"]) + "[key-value]\na = 'a'\nb = 'b'";
            assert_eq!(
                refusal(&toml),
                Some(
                    "[providers.a] and [providers.b] have one database, /data/none/x, which one section at a time can \
                     have open; let all routes to it lead to one of them"
                        .to_owned()
                )
            );
        }
    }

    #[test]
    fn sections_apart_and_sections_without_a_route_are_no_matter() {
        assert_eq!(refusal(&(sections("redb", ["x", "y"]) + "[key-value]\na = 'a'\nb = 'b'")), None);
        assert_eq!(refusal(&(sections("redb", ["x", "x"]) + "[key-value]\na = 'a'\nb = 'a'")), None);
        assert_eq!(refusal(&(sections("redb", ["x", "x"]) + "[key-value]\na = 'a'\n[messaging]\na = 'a'")), None);
        assert_eq!(refusal(&(sections("file", ["x", "x"]) + "[blob]\na = 'a'\nb = 'b'")), None);
    }
}
