use std::{
    future::pending,
    sync::atomic::{AtomicBool, Ordering},
};

use futures_util::{FutureExt, StreamExt, TryStreamExt};
use slight_capabilities::Error;

use super::{stub::Stub, *};

async fn stub_container(stub: Stub, limits: Limits) -> (State, Resource<Container>) {
    let mut state = instance(backend("stub", Arc::new(stub)), limits);
    let container = create(&mut state, "photos").await;
    (state, container)
}

#[tokio::test]
async fn body_first_and_target_first_store_the_same() {
    let mut state = instance(memory(), limits());
    let container = create(&mut state, "photos").await;
    for size in [0, 1, 300 * KIB, 3 * MIB + 1] {
        store(&mut state, &container, "target first", pattern(size)).await;

        let value = new_value(&mut state).await;
        let body = body_of(&mut state, &value).await;
        send(&mut state, &body, pattern(size)).await.unwrap();
        state.table.delete(body).unwrap();
        state.write_data(lend(&container), "body first".into(), lend(&value)).await.unwrap().unwrap();
        state.finish(value).await.unwrap().unwrap();

        for object in ["target first", "body first"] {
            assert_eq!(load(&mut state, &container, object).await.unwrap(), pattern(size), "{object} {size}");
        }
    }
}

#[tokio::test]
async fn a_value_without_a_body_is_an_empty_object() {
    let mut state = instance(memory(), limits());
    let container = create(&mut state, "photos").await;
    let value = new_value(&mut state).await;
    state.write_data(lend(&container), "empty".into(), lend(&value)).await.unwrap().unwrap();
    state.finish(value).await.unwrap().unwrap();
    assert_eq!(load(&mut state, &container, "empty").await.unwrap(), b"");
}

#[tokio::test]
async fn a_value_dropped_without_finish_leaves_nothing_behind() {
    let mut state = instance(memory(), limits());
    let container = create(&mut state, "photos").await;
    let value = new_value(&mut state).await;
    let body = body_of(&mut state, &value).await;
    state.write_data(lend(&container), "cat".into(), lend(&value)).await.unwrap().unwrap();
    send(&mut state, &body, pattern(MIB)).await.unwrap();
    state.table.delete(value).unwrap();

    let closed = send(&mut state, &body, pattern(1)).await;
    assert!(matches!(closed, Err(StreamError::Closed)), "{closed:?}");
    assert!(state.shared.writes.finish(Duration::from_secs(10)).await);
    assert!(!state.has_object(container, "cat".into()).await.unwrap().unwrap());
}

#[tokio::test]
async fn finish_without_write_data_says_what_is_missing() {
    let mut state = instance(memory(), limits());
    let value = new_value(&mut state).await;
    let error = state.finish(value).await.unwrap().unwrap_err();
    assert!(error.contains("call container.write-data before finish"), "{error}");
}

#[tokio::test]
async fn a_value_has_one_target_and_one_body() {
    let mut state = instance(memory(), limits());
    let container = create(&mut state, "photos").await;
    let value = new_value(&mut state).await;
    state.write_data(lend(&container), "cat".into(), lend(&value)).await.unwrap().unwrap();
    let error = state.write_data(lend(&container), "dog".into(), lend(&value)).await.unwrap().unwrap_err();
    assert!(error.contains("\"dog\"") && error.contains("before"), "{error}");

    body_of(&mut state, &value).await;
    assert!(state.outgoing_value_write_body(lend(&value)).await.unwrap().is_err());

    state.finish(value).await.unwrap().unwrap();
    assert_eq!(load(&mut state, &container, "cat").await.unwrap(), b"");
}

#[tokio::test]
async fn finish_takes_what_was_written_and_closes_a_stream_still_open() {
    let mut state = instance(memory(), limits());
    let container = create(&mut state, "photos").await;
    let value = new_value(&mut state).await;
    let body = body_of(&mut state, &value).await;
    send(&mut state, &body, pattern(10)).await.unwrap();
    state.write_data(lend(&container), "cat".into(), lend(&value)).await.unwrap().unwrap();
    state.finish(value).await.unwrap().unwrap();

    let closed = send(&mut state, &body, pattern(1)).await;
    assert!(matches!(closed, Err(StreamError::Closed)), "{closed:?}");
    assert_eq!(load(&mut state, &container, "cat").await.unwrap(), pattern(10));
}

#[tokio::test]
async fn more_than_check_write_allows_is_a_trap() {
    let mut state = instance(memory(), limits());
    let value = new_value(&mut state).await;
    let body = body_of(&mut state, &value).await;
    let result = state.table.get_mut(&body).unwrap().write(pattern(65 * KIB));
    assert!(matches!(result, Err(StreamError::Trap(_))), "{result:?}");
}

#[tokio::test]
async fn a_failing_write_is_told_early_and_again_by_finish() {
    let full = Stub::new().on_write(|mut body| {
        Box::pin(async move {
            body.try_next().await?;
            Err(Error::unavailable("the disk is full"))
        })
    });
    let (mut state, container) = stub_container(full, limits()).await;
    let value = new_value(&mut state).await;
    let body = body_of(&mut state, &value).await;
    state.write_data(lend(&container), "cat".into(), lend(&value)).await.unwrap().unwrap();

    let sentence = "object \"cat\" in container \"photos\": blob write failed: the backend of \"photos\" is not available; \
                    the log of the host says why";
    let Err(StreamError::LastOperationFailed(error)) = send(&mut state, &body, pattern(10 * MIB)).await else {
        panic!("the stream has to fail")
    };
    assert_eq!(error.to_string(), sentence);
    let closed = send(&mut state, &body, pattern(1)).await;
    assert!(matches!(closed, Err(StreamError::Closed)), "{closed:?}");
    assert_eq!(state.finish(value).await.unwrap().unwrap_err(), sentence);
}

#[tokio::test]
async fn a_provider_that_panics_is_an_error_of_finish() {
    let stub = Stub::new().on_write(|_| Box::pin(async { panic!("on purpose") }));
    let (mut state, container) = stub_container(stub, limits()).await;
    let value = new_value(&mut state).await;
    state.write_data(lend(&container), "cat".into(), lend(&value)).await.unwrap().unwrap();
    let error = state.finish(value).await.unwrap().unwrap_err();
    assert!(error.contains("without an answer"), "{error}");
}

#[tokio::test]
async fn a_provider_that_stops_before_the_end_is_an_error_of_finish() {
    let stub = Stub::new().on_write(|_| Box::pin(async { Ok(()) }));
    let (mut state, container) = stub_container(stub, limits()).await;
    let value = new_value(&mut state).await;
    state.write_data(lend(&container), "cat".into(), lend(&value)).await.unwrap().unwrap();
    let error = state.finish(value).await.unwrap().unwrap_err();
    assert_eq!(error, "object \"cat\" in container \"photos\": the provider stopped before the end of the body");
}

#[tokio::test]
async fn a_write_outlives_its_instance_and_cleans_up() {
    let cleaned = Arc::new(AtomicBool::new(false));
    let done = cleaned.clone();
    let stub = Stub::new().on_write(move |mut body| {
        let done = done.clone();
        Box::pin(async move {
            while let Some(chunk) = body.next().await {
                if let Err(error) = chunk {
                    // Cleaning up takes more than one step.
                    tokio::task::yield_now().await;
                    done.store(true, Ordering::SeqCst);
                    return Err(error);
                }
            }
            pending().await
        })
    });
    let (mut state, container) = stub_container(stub, limits()).await;
    let shared = state.shared.clone();
    let value = new_value(&mut state).await;
    state.write_data(container, "cat".into(), lend(&value)).await.unwrap().unwrap();
    drop(state);
    assert!(shared.writes.finish(Duration::from_secs(10)).await);
    assert!(cleaned.load(Ordering::SeqCst));
}

#[tokio::test(start_paused = true)]
async fn a_write_that_hangs_does_not_hold_up_the_shutdown_for_ever() {
    let (mut state, container) = stub_container(Stub::new().on_write(|_| Box::pin(pending())), impatient()).await;
    let value = new_value(&mut state).await;
    state.write_data(container, "cat".into(), lend(&value)).await.unwrap().unwrap();
    let error = state.finish(value).await.unwrap().unwrap_err();
    assert!(error.contains("it is not stored"), "{error}");
    assert!(!state.shared.writes.finish(Duration::from_millis(5)).await);
}

#[tokio::test]
async fn writing_does_not_wait_while_there_is_room() {
    let (mut state, container) = stub_container(Stub::new().on_write(|_| Box::pin(pending())), limits()).await;
    let value = new_value(&mut state).await;
    let body = body_of(&mut state, &value).await;
    state.write_data(container, "cat".into(), lend(&value)).await.unwrap().unwrap();
    send(&mut state, &body, pattern(256 * KIB)).now_or_never().unwrap().unwrap();
    let stream = state.table.get_mut(&body).unwrap();
    assert_eq!(stream.check_write().unwrap(), 0);
    assert!(stream.ready().now_or_never().is_none());
}

#[tokio::test]
async fn too_many_handles_are_an_error_that_names_the_limit() {
    let mut state = instance(memory(), Limits { handles: 3, ..limits() });
    let container = create(&mut state, "photos").await;
    let value = new_value(&mut state).await;
    body_of(&mut state, &value).await;
    let error = state.list_objects(lend(&container)).await.unwrap().unwrap_err();
    assert!(error.contains("limits.handles"), "{error}");
    let trap = state.new_outgoing_value().await.unwrap_err();
    assert!(trap.to_string().contains("limits.handles"), "{trap}");
}

#[tokio::test]
async fn what_a_component_holds_in_values_without_a_target_is_bounded() {
    let mut state = instance(memory(), Limits { memory: 2 * MIB, ..limits() });
    let values = [new_value(&mut state).await, new_value(&mut state).await, new_value(&mut state).await];
    body_of(&mut state, &values[0]).await;
    body_of(&mut state, &values[1]).await;
    assert!(state.outgoing_value_write_body(lend(&values[2])).await.unwrap().is_err());
}

#[tokio::test]
async fn the_disk_is_for_all_values_of_an_instance_together() {
    let mut state = instance(memory(), Limits { spool: 3 * MIB as u64, ..limits() });
    let (one, two) = (new_value(&mut state).await, new_value(&mut state).await);
    let (body, other) = (body_of(&mut state, &one).await, body_of(&mut state, &two).await);
    send(&mut state, &body, pattern(3 * MIB)).await.unwrap();
    let refused = send(&mut state, &other, pattern(3 * MIB)).await;
    assert!(format!("{refused:?}").contains("limits.spool"), "{refused:?}");
    state.table.delete(body).unwrap();
    state.table.delete(one).unwrap();

    // A task of its own gives the file up.
    let free = async {
        while !state.disk.take(3 * MIB as u64) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), free).await.unwrap();
}
