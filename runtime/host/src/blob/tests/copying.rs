use futures_util::stream;
use slight_capabilities::{Blob, Error};

use super::{stub::Stub, *};

/// Routes: `a` and `b` on one memory, `far` on another, `theirs` an existing location of the first. All containers are
/// there, and `a` holds `cat`, 3 MiB.
async fn routes() -> State {
    let memory = Memory::new();
    memory.create_location("bucket");
    let (near, far) = (backend("near", memory.blob().unwrap()), backend("far", Memory::new().blob().unwrap()));
    let mut routes = Routes::none();
    routes.insert("a", Route::to(near.clone()));
    routes.insert("b", Route::to(near.clone()));
    routes.insert("theirs", Route { existing: Some("bucket".into()), ..Route::to(near.clone()) });
    routes.insert("missing", Route::to(near));
    routes.insert("far", Route::to(far.clone()));
    routes.insert("far missing", Route::to(far));
    let mut state = routed(routes, limits());
    let container = create(&mut state, "a").await;
    store(&mut state, &container, "cat", pattern(3 * MIB)).await;
    create(&mut state, "b").await;
    create(&mut state, "far").await;
    state
}

async fn holds(state: &mut State, container: &str, object: &str) -> Option<Vec<u8>> {
    let container = state.get_container(container.into()).await.unwrap().unwrap();
    load(state, &container, object).await.ok()
}

#[tokio::test]
async fn copy_makes_an_equal_object_within_and_across_providers() {
    let mut state = routes().await;
    for (container, object) in [("a", "dog"), ("b", "cat"), ("far", "cat"), ("theirs", "cat")] {
        state.copy_object(id("a", "cat"), id(container, object)).await.unwrap().unwrap();
        assert_eq!(holds(&mut state, container, object).await.unwrap(), pattern(3 * MIB), "{container}");
        assert!(holds(&mut state, "a", "cat").await.is_some());
    }
}

#[tokio::test]
async fn move_removes_the_source() {
    let mut state = routes().await;
    let mut from = ("a", "cat");
    for to in [("a", "dog"), ("b", "cat"), ("far", "cat"), ("theirs", "cat"), ("a", "cat")] {
        state.move_object(id(from.0, from.1), id(to.0, to.1)).await.unwrap().unwrap();
        assert_eq!(holds(&mut state, to.0, to.1).await.unwrap(), pattern(3 * MIB), "{to:?}");
        assert!(holds(&mut state, from.0, from.1).await.is_none(), "{from:?}");
        from = to;
    }
}

#[tokio::test]
async fn an_object_onto_itself_stays_as_it_is() {
    let mut state = routes().await;
    state.copy_object(id("a", "cat"), id("far", "cat")).await.unwrap().unwrap();
    state.copy_object(id("a", "cat"), id("theirs", "cat")).await.unwrap().unwrap();
    for container in ["a", "far", "theirs"] {
        let (from, missing) = (|| id(container, "cat"), || id(container, "missing"));
        state.copy_object(from(), from()).await.unwrap().unwrap();
        state.move_object(from(), from()).await.unwrap().unwrap();
        assert_eq!(holds(&mut state, container, "cat").await.unwrap(), pattern(3 * MIB), "{container}");
        assert!(state.copy_object(missing(), missing()).await.unwrap().is_err());
        assert!(state.move_object(missing(), missing()).await.unwrap().is_err());
    }
}

#[tokio::test]
async fn two_names_of_one_container_do_not_lose_the_object() {
    let memory = memory();
    let mut routes = Routes::none();
    routes.insert("shop-a", Route::to(memory.clone()));
    routes.insert("a", Route { name: Some("shop-a".into()), ..Route::to(memory) });
    let mut state = routed(routes, limits());
    let container = create(&mut state, "a").await;
    store(&mut state, &container, "cat", pattern(10)).await;
    state.move_object(id("a", "cat"), id("shop-a", "cat")).await.unwrap().unwrap();
    assert_eq!(load(&mut state, &container, "cat").await.unwrap(), pattern(10));
}

#[tokio::test]
async fn a_missing_source_is_an_error_and_the_destination_stays() {
    let mut state = routes().await;
    state.copy_object(id("a", "cat"), id("far", "cat")).await.unwrap().unwrap();
    for to in ["a", "far"] {
        let error = state.copy_object(id("b", "dog"), id(to, "cat")).await.unwrap().unwrap_err();
        assert!(error.contains("\"dog\"") && error.contains("\"b\""), "{error}");
        assert_eq!(holds(&mut state, to, "cat").await.unwrap(), pattern(3 * MIB));
    }
}

#[tokio::test]
async fn a_missing_container_is_an_error_and_the_source_stays() {
    let mut state = routes().await;
    for to in ["missing", "far missing"] {
        let error = state.move_object(id("a", "cat"), id(to, "cat")).await.unwrap().unwrap_err();
        assert!(error.contains(&format!("{to:?}")), "{error}");
        assert!(holds(&mut state, "a", "cat").await.is_some());
    }
}

#[tokio::test]
async fn a_read_that_fails_half_way_leaves_nothing_at_the_destination() {
    let cut = Stub::new().on_read(|| {
        let chunks = [Ok(pattern(MIB)), Err(Error::unavailable("the line is cut"))];
        Ok(Blob { size: 2 * MIB as u64, body: Box::pin(stream::iter(chunks)) })
    });
    let mut routes = Routes::none();
    routes.insert("cut", Route::to(backend("cut", Arc::new(cut))));
    routes.insert("whole", Route::to(memory()));
    let mut state = routed(routes, limits());
    create(&mut state, "whole").await;
    let error = state.move_object(id("cut", "cat"), id("whole", "cat")).await.unwrap().unwrap_err();
    assert!(error.contains("blob read failed: the backend of \"cut\""), "{error}");
    assert!(state.shared.writes.finish(Duration::from_secs(10)).await);
    assert!(holds(&mut state, "whole", "cat").await.is_none());
}

#[tokio::test]
async fn a_write_that_fails_leaves_the_source() {
    let full = Stub::new().on_write(|_| Box::pin(async { Err(Error::unavailable("the disk is full")) }));
    let mut routes = Routes::none();
    routes.insert("full", Route::to(backend("full", Arc::new(full))));
    routes.insert("whole", Route::to(memory()));
    let mut state = routed(routes, limits());
    let whole = create(&mut state, "whole").await;
    store(&mut state, &whole, "cat", pattern(MIB)).await;
    let error = state.move_object(id("whole", "cat"), id("full", "cat")).await.unwrap().unwrap_err();
    assert!(error.contains("blob write failed: the backend of \"full\""), "{error}");
    assert_eq!(load(&mut state, &whole, "cat").await.unwrap(), pattern(MIB));
}
