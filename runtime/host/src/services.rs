use std::{collections::BTreeMap, fmt, sync::Arc};

use slight_capabilities::{BlobStore, Error, KeyValue, Messaging, Result, Route, Routes};

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
    /// What wasi:config reads.
    pub config: BTreeMap<String, String>,
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
    routes.find(name).ok_or_else(|| {
        Error::denied(format!(
            "there is no route for the {what} {name:?}; to allow it, add {name:?} to [{section}] in the configuration"
        ))
    })
}
