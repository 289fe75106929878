use std::collections::BTreeSet;

use super::{super::bindings::container::HostStreamObjectNames as _, stub::Stub, *};
use crate::blob::ObjectNames;

async fn stub_names(pages: &[&[&str]], last: usize, limits: Limits) -> (State, Resource<ObjectNames>) {
    let stub = Stub::new().pages(pages, last);
    let mut state = instance(backend("stub", Arc::new(stub)), limits);
    let container = create(&mut state, "photos").await;
    let names = state.list_objects(container).await.unwrap().unwrap();
    (state, names)
}

async fn read(state: &mut State, names: &Resource<ObjectNames>, len: u64) -> Result<(Vec<String>, bool), String> {
    state.read_stream_object_names(lend(names), len).await.unwrap()
}

async fn skip(state: &mut State, names: &Resource<ObjectNames>, num: u64) -> Result<(u64, bool), String> {
    state.skip_stream_object_names(lend(names), num).await.unwrap()
}

fn strings(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn names_come_in_the_numbers_asked_for_across_pages() {
    let (mut state, names) = stub_names(&[&["a", "b"], &["c"], &["d", "e"]], 3, limits()).await;
    assert_eq!(read(&mut state, &names, 0).await.unwrap(), (vec![], false));
    assert_eq!(read(&mut state, &names, 3).await.unwrap(), (strings(&["a", "b", "c"]), false));
    assert_eq!(skip(&mut state, &names, 1).await.unwrap(), (1, false));
    assert_eq!(read(&mut state, &names, u64::MAX).await.unwrap(), (strings(&["e"]), true));
    assert_eq!(read(&mut state, &names, 1).await.unwrap(), (vec![], true));
    assert_eq!(skip(&mut state, &names, 1).await.unwrap(), (0, true));
}

#[tokio::test]
async fn the_last_page_may_be_empty() {
    let (mut state, names) = stub_names(&[&["a"], &[]], 2, limits()).await;
    assert_eq!(read(&mut state, &names, 1).await.unwrap(), (strings(&["a"]), false));
    assert_eq!(read(&mut state, &names, 1).await.unwrap(), (vec![], true));

    let (mut state, names) = stub_names(&[&[]], 1, limits()).await;
    assert_eq!(skip(&mut state, &names, u64::MAX).await.unwrap(), (0, true));
}

#[tokio::test]
async fn one_answer_holds_no_more_than_the_limit_but_always_a_name() {
    let (mut state, names) = stub_names(&[&["a", "b", "c"]], 1, Limits { returned: 60, ..limits() }).await;
    assert_eq!(read(&mut state, &names, 10).await.unwrap(), (strings(&["a", "b"]), false));
    assert_eq!(read(&mut state, &names, 10).await.unwrap(), (strings(&["c"]), true));

    let (mut state, names) = stub_names(&[&["a", "b"]], 1, Limits { returned: 1, ..limits() }).await;
    assert_eq!(read(&mut state, &names, 10).await.unwrap(), (strings(&["a"]), false));
}

#[tokio::test]
async fn a_page_that_fails_loses_no_name() {
    let (mut state, names) = stub_names(&[&["a", "b"]], 2, limits()).await;
    assert_eq!(read(&mut state, &names, 10).await.unwrap(), (strings(&["a", "b"]), false));
    let error = read(&mut state, &names, 10).await.unwrap_err();
    assert!(error.starts_with("blob list failed"), "{error}");
}

#[tokio::test]
async fn every_object_is_listed_once() {
    let mut state = instance(memory(), limits());
    let container = create(&mut state, "photos").await;
    let expected: BTreeSet<_> = (0..300).map(|i| format!("cat {i}")).collect();
    for object in &expected {
        store(&mut state, &container, object, Bytes::new()).await;
    }
    let names = state.list_objects(container).await.unwrap().unwrap();
    let mut seen = Vec::new();
    loop {
        let (some, end) = read(&mut state, &names, 7).await.unwrap();
        seen.extend(some);
        if end {
            break;
        }
    }
    assert_eq!(seen.len(), expected.len());
    assert_eq!(BTreeSet::from_iter(seen), expected);
}
