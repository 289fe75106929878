use std::{
    env, fmt,
    path::{Path, PathBuf},
};

use crate::kind::Kind;

/// A server's program is not on this machine. Says which, and how to get it.
#[derive(Debug, Clone)]
pub struct Missing(String);

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Missing {}

/// A program, and where its shared libraries are beside those of the system.
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    pub(crate) libraries: Option<PathBuf>,
}

/// Looks for what `tests/services/fetch` brought, then in `PATH`.
pub(crate) fn find(kind: &Kind) -> Result<Program, Missing> {
    let fetched = fetched().join(kind.name);
    let path = fetched.join("bin").join(kind.program);
    if path.is_file() {
        return Ok(Program { path, libraries: Some(fetched.join("lib")) });
    }
    let paths = env::var_os("PATH").unwrap_or_default();
    let installed = env::split_paths(&paths).map(|folder| folder.join(kind.program)).find(|path| path.is_file());
    installed.map(|path| Program { path, libraries: None }).ok_or_else(|| missing(kind))
}

fn missing(kind: &Kind) -> Missing {
    let Kind { name, program, url_variable, .. } = kind;
    Missing(format!(
        "there is no `{program}`; `tests/services/fetch {name}` brings one, and {url_variable} names a server of your own"
    ))
}

fn fetched() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/services")
}
