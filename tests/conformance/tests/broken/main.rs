//! Every case fails where it should: on providers that break one rule each.

#![allow(clippy::unwrap_used, clippy::panic, reason = "all of it is a test")]

mod blob;
mod disruptions;
mod key_value;
mod messaging;
mod order;
mod provider;

use std::{collections::BTreeSet, fmt::Debug, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use slight_capabilities::{BlobStore, Capability, KeyValue, Messaging, Provider, QualifiedName, Result};
use slight_conformance::{Case, Connection, Harness, Patience, Scope, Target};
use slight_provider_memory::Memory;

/// Short: a case that waits for what a broken provider never does has failed.
const IMPATIENT: Patience = Patience { event: Duration::from_secs(3), quiet: Duration::from_millis(300) };

/// A memory, with one of its capabilities behind a fault.
#[derive(Default)]
struct Broken {
    memory: Memory,
    key_value: Option<Arc<dyn KeyValue>>,
    blob: Option<Arc<dyn BlobStore>>,
    messaging: Option<Arc<dyn Messaging>>,
}

#[async_trait]
impl Provider for Broken {
    fn key_value(&self) -> Option<Arc<dyn KeyValue>> {
        self.key_value.clone()
    }

    fn blob(&self) -> Option<Arc<dyn BlobStore>> {
        self.blob.clone()
    }

    fn messaging(&self) -> Option<Arc<dyn Messaging>> {
        self.messaging.clone()
    }

    async fn prepare(&self, _: Capability) -> Result<()> {
        Ok(())
    }

    async fn ping(&self) -> Result<()> {
        Ok(())
    }
}

/// Makes locations in the memory behind the fault.
struct Locations(Memory);

#[async_trait]
impl Harness for Locations {
    async fn connect(&self) -> Result<Connection> {
        Ok(Connection::Ready(Arc::new(self.0.clone())))
    }

    async fn make_location(&self, object: &str, content: Bytes) -> Option<Result<String>> {
        self.0.create_location("location");
        let container = self.0.blob()?.existing("location").await.unwrap();
        container.write(object, Box::pin(stream::iter([Ok(content)]))).await.unwrap();
        Some(Ok("location".into()))
    }
}

/// The same name where nothing is between prefix and name.
fn joined(name: &QualifiedName) -> QualifiedName {
    format!("{}{}", name.prefix, name.name).as_str().into()
}

fn target(broken: Broken) -> Target {
    let harness = Arc::new(Locations(broken.memory.clone()));
    Target { provider: Arc::new(broken), harness }
}

/// Tries each case on the providers of one process whose faults it must find.
async fn every_fault_of_memory_is_found<S: Scope, F: Copy + Debug>(
    cases: &'static [Case<S>],
    faults: &[(F, &[&str])],
    at_once: usize,
    broken: impl Fn(Option<F>) -> Broken,
) {
    every_fault_is_found(cases, faults, at_once, |fault| target(broken(fault))).await;
}

/// Tries each case on the providers whose faults it must find, `at_once` at a time.
///
/// Also requires that every case finds a fault, and that no case finds one where there is none.
async fn every_fault_is_found<S: Scope, F: Copy + Debug>(
    cases: &'static [Case<S>],
    faults: &[(F, &[&str])],
    at_once: usize,
    broken: impl Fn(Option<F>) -> Target,
) {
    let found: BTreeSet<_> = faults.iter().flat_map(|(_, names)| names.iter().copied()).collect();
    let blind: Vec<_> = cases.iter().map(|case| case.name).filter(|name| !found.contains(name)).collect();
    assert!(blind.is_empty(), "these cases find no fault: {blind:?}");

    let find = |name: &str| cases.iter().find(|case| case.name == name).unwrap_or_else(|| panic!("no case {name}"));
    let with_fault = faults.iter().flat_map(|(fault, names)| names.iter().map(|name| (Some(*fault), find(name))));
    let without = cases.iter().map(|case| (None, case));
    let wrong: Vec<_> = stream::iter(with_fault.chain(without))
        .map(|(fault, case)| {
            let target = broken(fault);
            async move {
                match (fault, case.check(&target, fault.map_or_else(Patience::default, |_| IMPATIENT)).await) {
                    (Some(fault), Ok(())) => Some(format!("{fault:?} passes {case:?}")),
                    (None, Err(failure)) => Some(format!("without a fault, {case:?} fails: {failure}")),
                    (Some(fault), Err(failure)) => {
                        println!("{fault:?}: {case:?}: {failure}");
                        None
                    }
                    (None, Ok(())) => None,
                }
            }
        })
        .buffer_unordered(at_once)
        .filter_map(async |wrong| wrong)
        .collect()
        .await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
