//! wasi:blobstore 0.2.0-draft: routes, access and handles. Bodies stream both ways in bounded memory.
//!
//! What a guest writes goes through a [`pipe`] to the provider's `write`, which runs in a task of its own ([`writes`])
//! and is never cancelled: when the guest gives up, its stream ends with an error and the provider cleans up. What a
//! guest reads is pulled from the provider one chunk at a time, when the guest asks.

mod blobstore;
mod container;
mod copy;
mod incoming;
mod names;
mod outgoing;
mod pipe;
#[cfg(test)]
mod tests;
mod writes;

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use slight_capabilities::{Access, BlobStore, Error, ErrorKind, Result, Route, canonical, check_key, check_name};

pub(crate) use self::writes::Writes;
pub use self::{incoming::IncomingValue, names::ObjectNames, outgoing::OutgoingValue};
use crate::{
    bindings::wasi::blobstore as bindings,
    guard::{self, Call},
    services::{Backend, check_access, find_route},
    state::Shared,
};

/// What a call answers: errors are sentences here. The outer error is a handle that is not valid, which traps.
type Answer<T> = wasmtime::Result<Result<T, String>>;

fn sentence(error: Error) -> String {
    error.to_string()
}

type BlobRoute = Route<Backend<dyn BlobStore>>;

/// A container that the guest has open.
#[derive(Clone)]
pub struct Container {
    container: Arc<dyn slight_capabilities::Container>,
    name: Arc<str>,
    section: Arc<str>,
    access: Access,
}

impl Container {
    fn new(container: Arc<dyn slight_capabilities::Container>, route: &BlobRoute, name: &str) -> Self {
        Self { container, name: name.into(), section: route.provider.section.clone(), access: route.access }
    }

    fn call(&self, operation: &'static str) -> Call<'_> {
        Call { section: &self.section, operation, target: &self.name }
    }

    fn describe(&self, object: &str) -> String {
        describe(&self.name, object)
    }

    fn about(&self, object: &str, error: Error) -> Error {
        about(&self.name, object, error)
    }
}

fn describe(container: &str, object: &str) -> String {
    format!("object {object:?} in container {container:?}")
}

/// Makes sure that a provider's sentence tells which object it is about.
fn about(container: &str, object: &str, error: Error) -> Error {
    if error.message().contains(&format!("{object:?}")) {
        return error;
    }
    Error::new(error.kind(), format!("{}: {error}", describe(container, object)))
}

/// A failure that more than one party is told. Errors cannot be cloned; their causes are in the log by then.
#[derive(Debug, Clone)]
struct Failure {
    kind: ErrorKind,
    message: String,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { kind: error.kind(), message: error.message().to_owned() }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::new(failure.kind, failure.message)
    }
}

/// Seconds since the epoch; 0 for anything before it.
fn timestamp(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

impl Shared {
    /// The route of a container, and the name that the guest's stands for.
    fn find_container<'n>(&self, name: &'n str) -> Result<(&BlobRoute, &'n str)> {
        let route = self.denials.note(find_route(&self.services.blob, "blob", "container", name))?;
        let name = canonical(name);
        check_name("container name", name)?;
        Ok((route, name))
    }

    fn check_container_write(&self, access: Access, container: &str) -> Result<()> {
        self.denials.note(check_access(&self.services.blob, access, "blob", "container", container))
    }

    async fn open_container(&self, name: &str) -> Result<Container> {
        let (route, name) = self.find_container(name)?;
        let Backend { section, provider } = &route.provider;
        let call = Call { section, operation: "blob get-container", target: name };
        let container = match &route.existing {
            Some(location) => self.guarded(call, provider.existing(location)).await,
            None => self.guarded(call, provider.get(&route.qualify(name))).await,
        };
        Ok(Container::new(container?, route, name))
    }

    /// A call about one object.
    async fn on_object<T>(
        &self,
        container: &Container,
        operation: &'static str,
        object: &str,
        future: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        check_key("object name", object)?;
        let result = self.guarded(container.call(operation), future).await;
        result.map_err(|error| container.about(object, error))
    }

    /// A call that takes longer the more there is to do, such as clearing a container: it may take as long as the
    /// whole invocation.
    async fn unhurried<T>(&self, call: Call<'_>, future: impl Future<Output = Result<T>>) -> Result<T> {
        let limit = self.limits.timeout.max(self.limits.backend_timeout);
        guarded_for(limit, call, future).await
    }
}

async fn guarded_for<T>(limit: Duration, call: Call<'_>, future: impl Future<Output = Result<T>>) -> Result<T> {
    if let Ok(result) = tokio::time::timeout(limit, future).await {
        return result.map_err(|error| guard::report(call, error));
    }
    let error = Error::timeout(format!(
        "{} on {:?} did not end within {limit:?}; part of it may be done, and it can be repeated",
        call.operation, call.target
    ));
    guard::log(call, &error);
    Err(error)
}
