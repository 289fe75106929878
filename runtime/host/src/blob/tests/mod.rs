mod containers;
mod copying;
mod incoming;
mod listing;
mod outgoing;
mod pipe;
mod stub;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use slight_capabilities::{Access, BlobStore, Provider, Route, Routes};
use slight_provider_memory::Memory;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::{DynOutputStream, StreamError};

use super::{
    Container, OutgoingValue,
    bindings::{
        blobstore::{Host as _, ObjectId},
        container::HostContainer as _,
        types::{HostIncomingValue as _, HostOutgoingValue as _},
    },
};
use crate::{
    Backend, Environment, Limits, Services,
    state::{Shared, State},
};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

fn limits() -> Limits {
    Limits::default()
}

/// A provider that answers late is noticed soon.
fn impatient() -> Limits {
    Limits { backend_timeout: Duration::from_millis(50), ..limits() }
}

fn backend(section: &str, provider: Arc<dyn BlobStore>) -> Backend<dyn BlobStore> {
    Backend { section: section.into(), provider }
}

fn memory() -> Backend<dyn BlobStore> {
    backend("memory", Memory::new().blob().unwrap())
}

/// An instance whose container names all lead to `provider`.
fn instance(provider: Backend<dyn BlobStore>, limits: Limits) -> State {
    routed(Routes::all_to(provider), limits)
}

fn routed(blob: Routes<Backend<dyn BlobStore>>, limits: Limits) -> State {
    let services = Services { blob, ..Services::default() };
    State::new(Arc::new(Shared::new(services, limits, Environment::default(), 0))).unwrap()
}

fn read_only(provider: Backend<dyn BlobStore>) -> Route<Backend<dyn BlobStore>> {
    Route { access: Access::Read, ..Route::to(provider) }
}

/// Bytes that differ from place to place.
fn pattern(size: usize) -> Bytes {
    (0..size).map(|i| (i / 251 + i) as u8).collect::<Vec<_>>().into()
}

fn id(container: &str, object: &str) -> ObjectId {
    ObjectId { container: container.into(), object: object.into() }
}

/// Handles are lent to calls, as guests do.
fn lend<T: 'static>(handle: &Resource<T>) -> Resource<T> {
    Resource::new_borrow(handle.rep())
}

async fn create(state: &mut State, name: &str) -> Resource<Container> {
    state.create_container(name.into()).await.unwrap().unwrap()
}

async fn new_value(state: &mut State) -> Resource<OutgoingValue> {
    state.new_outgoing_value().await.unwrap()
}

async fn body_of(state: &mut State, value: &Resource<OutgoingValue>) -> Resource<DynOutputStream> {
    state.outgoing_value_write_body(lend(value)).await.unwrap().unwrap()
}

/// Writes as a guest does: as much as it may, then waits.
async fn send(state: &mut State, stream: &Resource<DynOutputStream>, mut bytes: Bytes) -> Result<(), StreamError> {
    let stream = state.table.get_mut(stream).unwrap();
    while !bytes.is_empty() {
        let room = stream.write_ready().await?;
        stream.write(bytes.split_to(room.min(bytes.len())))?;
    }
    Ok(())
}

/// Stores an object, target first.
async fn store(state: &mut State, container: &Resource<Container>, object: &str, bytes: Bytes) {
    let value = new_value(state).await;
    state.write_data(lend(container), object.into(), lend(&value)).await.unwrap().unwrap();
    let body = body_of(state, &value).await;
    send(state, &body, bytes).await.unwrap();
    state.finish(value).await.unwrap().unwrap();
}

async fn load(state: &mut State, container: &Resource<Container>, object: &str) -> Result<Vec<u8>, String> {
    let value = state.get_data(lend(container), object.into(), 0, u64::MAX).await.unwrap()?;
    state.incoming_value_consume_sync(value).await.unwrap()
}
