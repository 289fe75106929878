use futures_util::stream;
use slight_capabilities::{Blob, Error};
use wasmtime_wasi::p2::DynInputStream;

use super::{stub::Stub, *};

async fn open(state: &mut State, container: &Resource<Container>, start: u64, end: u64) -> Resource<DynInputStream> {
    let value = state.get_data(lend(container), "cat".into(), start, end).await.unwrap().unwrap();
    state.incoming_value_consume_async(value).await.unwrap().unwrap()
}

/// Reads to the end, `size` bytes at most at a time.
async fn receive(state: &mut State, stream: &Resource<DynInputStream>, size: usize) -> Result<Vec<u8>, StreamError> {
    let stream = state.table.get_mut(stream).unwrap();
    let mut all = Vec::new();
    loop {
        match stream.blocking_read(size).await {
            Ok(bytes) if bytes.len() <= size => all.extend_from_slice(&bytes),
            Ok(bytes) => panic!("{} bytes where {size} were asked for", bytes.len()),
            Err(StreamError::Closed) => return Ok(all),
            Err(error) => return Err(error),
        }
    }
}

/// A container whose objects are these chunks, said to be `size` bytes.
async fn stub_container(size: u64, chunks: Vec<Result<Bytes, &'static str>>) -> (State, Resource<Container>) {
    let stub = Stub::new().on_read(move || {
        let chunks = chunks.clone().into_iter().map(|chunk| chunk.map_err(Error::unavailable));
        Ok(Blob { size, body: Box::pin(stream::iter(chunks)) })
    });
    let mut state = instance(backend("stub", Arc::new(stub)), limits());
    let container = create(&mut state, "photos").await;
    (state, container)
}

#[tokio::test]
async fn an_object_streams_through_whatever_is_read_at_a_time() {
    let mut state = instance(memory(), limits());
    let container = create(&mut state, "photos").await;
    store(&mut state, &container, "cat", pattern(MIB + 3)).await;
    for size in [1000, 64 * KIB, usize::MAX] {
        let stream = open(&mut state, &container, 0, u64::MAX).await;
        assert_eq!(receive(&mut state, &stream, size).await.unwrap(), pattern(MIB + 3), "{size}");
    }
}

#[tokio::test]
async fn a_range_is_inclusive_clamped_and_may_be_empty() {
    let mut state = instance(memory(), limits());
    let container = create(&mut state, "photos").await;
    store(&mut state, &container, "cat", Bytes::from_static(b"0123456789")).await;
    let cases: [(u64, u64, &[u8]); 6] =
        [(0, 0, b"0"), (2, 4, b"234"), (9, 9, b"9"), (7, u64::MAX, b"789"), (10, 20, b""), (4, 2, b"")];
    for (start, end, expected) in cases {
        let value = state.get_data(lend(&container), "cat".into(), start, end).await.unwrap().unwrap();
        assert_eq!(state.size(lend(&value)).await.unwrap(), expected.len() as u64);
        assert_eq!(state.incoming_value_consume_sync(value).await.unwrap().unwrap(), expected);
    }
}

#[tokio::test]
async fn a_missing_object_is_an_error_of_get_data() {
    let mut state = instance(memory(), limits());
    let container = create(&mut state, "photos").await;
    let error = state.get_data(container, "cat".into(), 0, 1).await.unwrap().unwrap_err();
    assert!(error.contains("\"cat\"") && error.contains("\"photos\""), "{error}");
}

#[tokio::test]
async fn consume_sync_of_too_much_points_to_consume_async() {
    let mut state = instance(memory(), Limits { returned: 10, ..limits() });
    let container = create(&mut state, "photos").await;
    store(&mut state, &container, "cat", pattern(11)).await;
    let error = load(&mut state, &container, "cat").await.unwrap_err();
    for part in ["\"cat\"", "\"photos\"", "11 bytes", "limit of 10 bytes", "limits.returned", "consume-async"] {
        assert!(error.contains(part), "{error}");
    }
    let stream = open(&mut state, &container, 0, u64::MAX).await;
    assert_eq!(receive(&mut state, &stream, KIB).await.unwrap(), pattern(11));
}

#[tokio::test]
async fn an_error_on_the_way_ends_the_stream() {
    let (mut state, container) = stub_container(20, vec![Ok(pattern(10)), Err("the line is cut")]).await;
    let stream = open(&mut state, &container, 0, u64::MAX).await;
    let Err(StreamError::LastOperationFailed(error)) = receive(&mut state, &stream, KIB).await else {
        panic!("the stream has to fail")
    };
    let sentence =
        "object \"cat\" in container \"photos\": blob read failed: the backend of \"photos\" is not available";
    assert!(error.to_string().starts_with(sentence), "{error}");
    assert_eq!(receive(&mut state, &stream, KIB).await.unwrap(), b"", "it is closed");

    let error = load(&mut state, &container, "cat").await.unwrap_err();
    assert!(error.starts_with(sentence), "{error}");
}

#[tokio::test]
async fn a_silent_cut_is_an_error_and_so_is_too_much() {
    for (size, how) in [(11, "less"), (9, "more")] {
        let (mut state, container) = stub_container(size, vec![Ok(Bytes::new()), Ok(pattern(10))]).await;
        let error = load(&mut state, &container, "cat").await.unwrap_err();
        assert!(error.contains(how), "{error}");
        let stream = open(&mut state, &container, 0, u64::MAX).await;
        assert!(matches!(receive(&mut state, &stream, KIB).await, Err(StreamError::LastOperationFailed(_))));
    }
}

#[tokio::test(start_paused = true)]
async fn a_chunk_that_does_not_come_is_a_timeout() {
    let stub = Stub::new().on_read(|| Ok(Blob { size: 1, body: Box::pin(stream::pending()) }));
    let mut state = instance(backend("stub", Arc::new(stub)), impatient());
    let container = create(&mut state, "photos").await;
    let stream = open(&mut state, &container, 0, u64::MAX).await;
    let Err(StreamError::LastOperationFailed(error)) = receive(&mut state, &stream, KIB).await else {
        panic!("the stream has to fail")
    };
    assert!(error.to_string().contains("limits.backend-timeout"), "{error}");
}

#[tokio::test]
async fn nothing_is_fetched_before_the_guest_waits() {
    let (mut state, container) = stub_container(10, vec![Ok(pattern(10))]).await;
    let stream = open(&mut state, &container, 0, u64::MAX).await;
    let stream = state.table.get_mut(&stream).unwrap();
    assert!(stream.read(100).unwrap().is_empty());
    stream.ready().await;
    assert_eq!(stream.read(4).unwrap(), pattern(10).slice(..4));
    assert_eq!(stream.read(100).unwrap(), pattern(10).slice(4..));
}
