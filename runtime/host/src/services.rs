use std::{collections::BTreeMap, fmt, sync::Arc};

use slight_capabilities::{Access, BlobStore, Error, KeyValue, Messaging, Result, Route, Routes, Secret};

/// A capability of a configured provider, with the name of its section for messages and logs.
pub struct Backend<T: ?Sized> {
    /// The section `[providers.<section>]`.
    pub section: Arc<str>,
    /// What answers.
    pub provider: Arc<T>,
}

impl<T: ?Sized> Clone for Backend<T> {
    fn clone(&self) -> Self {
        Self { section: self.section.clone(), provider: self.provider.clone() }
    }
}

impl<T: ?Sized> fmt::Debug for Backend<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Backend").field(&self.section).finish()
    }
}

/// What the guest's names lead to. A name without a route is denied.
#[derive(Debug, Clone, Default)]
pub struct Services {
    /// Bucket names.
    pub key_value: Routes<Backend<dyn KeyValue>>,
    /// Container names.
    pub blob: Routes<Backend<dyn BlobStore>>,
    /// Messaging client names.
    pub messaging: Routes<Backend<dyn Messaging>>,
    /// What wasi:config reads, secrets among it.
    pub config: BTreeMap<String, Secret>,
}

/// Finds the route for a guest's name.
///
/// # Errors
/// `Denied`, with what to write into the TOML.
pub(crate) fn find_route<'a, T: ?Sized>(
    routes: &'a Routes<Backend<T>>,
    section: &str,
    what: &str,
    name: &str,
) -> Result<&'a Route<Backend<T>>> {
    /// The most of a name that a sentence has, in bytes: a guest's may be of any length.
    const LONGEST: usize = 1024;
    routes.find(name).ok_or_else(|| {
        let name = name.get(..name.floor_char_boundary(LONGEST)).unwrap_or(name);
        let name = if name.is_empty() { "default" } else { name };
        Error::denied(format!(
            "the {what} {name:?} was denied: it has no route; to allow it, add {name:?} = \"<provider>\" to [{section}] in \
             the configuration"
        ))
    })
}

/// Whether the route that was found for a name allows writes.
///
/// # Errors
/// `Denied`, with what to change in the TOML.
pub(crate) fn check_access<T: ?Sized>(
    routes: &Routes<Backend<T>>,
    access: Access,
    section: &str,
    what: &str,
    name: &str,
) -> Result<()> {
    if access == Access::ReadWrite {
        return Ok(());
    }
    let route = routes.iter().find(|(route, _)| *route == name).map_or("*", |(route, _)| route);
    Err(Error::denied(format!(
        "a write to the {what} {name:?} was denied: its route allows reads only; to allow it, change access = \"read\" to \
         \"read-write\" for {route:?} in [{section}] of the configuration"
    )))
}
