//! What a guest does to the host itself; the rest is tried with guests.

use std::sync::Arc;

use slight_capabilities::{Provider, Routes};
use slight_provider_memory::Memory;
use wasmtime::component::Resource;

use super::{Bucket, bindings_draft2::atomics::HostCas};
use crate::{
    Backend, Environment, Limits, Services,
    state::{Shared, State},
};

fn state(limits: Limits) -> State {
    let provider = Memory::new().key_value().unwrap();
    let key_value = Routes::all_to(Backend { section: "memory".into(), provider });
    let services = Services { key_value, ..Services::default() };
    State::new(Arc::new(Shared::new(services, limits, Environment::default(), 0))).unwrap()
}

fn lend(bucket: &Resource<Bucket>) -> Resource<Bucket> {
    Resource::new_borrow(bucket.rep())
}

#[tokio::test]
async fn what_a_component_holds_in_cas_is_bounded() {
    let mut state = state(Limits { memory: 100_000, ..Limits::default() });
    let bucket = state.open_bucket("bucket".to_owned()).await.unwrap();
    state.set(lend(&bucket), "key".into(), vec![0; 60_000]).await.unwrap().unwrap();
    let first = HostCas::new(&mut state, lend(&bucket), "key".into()).await.unwrap().unwrap();
    for _ in 0..2 {
        let refused = HostCas::new(&mut state, lend(&bucket), "key".into()).await.unwrap();
        assert!(format!("{refused:?}").contains("limits.memory"), "{refused:?}");
    }
    HostCas::drop(&mut state, first).await.unwrap();
    HostCas::new(&mut state, lend(&bucket), "key".into()).await.unwrap().unwrap();
}
