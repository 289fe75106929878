use std::sync::Arc;

use futures_util::TryStreamExt;
use slight_capabilities::{ByteStream, ErrorKind};

use super::{
    super::pipe::{Pipe, Stopped},
    *,
};
use crate::held::Disk;

async fn fill(pipe: &Arc<Pipe>, mut bytes: Bytes) -> Result<(), Stopped> {
    while !bytes.is_empty() {
        pipe.wait_for_room().await;
        let room = pipe.room()?;
        pipe.push(bytes.split_to(room.min(64 * KIB).min(bytes.len())));
    }
    Ok(())
}

async fn drain(body: ByteStream) -> slight_capabilities::Result<Vec<u8>> {
    body.try_fold(Vec::new(), |mut all, chunk| async move {
        all.extend_from_slice(&chunk);
        Ok(all)
    })
    .await
}

fn bind(pipe: &Arc<Pipe>) -> slight_capabilities::Result<ByteStream> {
    pipe.bind("object \"cat\"".into())
}

/// Takes everything in a task, and settles as a provider would.
fn take_all(pipe: &Arc<Pipe>) -> tokio::task::JoinHandle<Vec<u8>> {
    let (pipe, body) = (pipe.clone(), bind(pipe).unwrap());
    tokio::spawn(async move {
        let all = drain(body).await.unwrap();
        pipe.settle(Ok(()));
        all
    })
}

fn pipe(limits: &Limits) -> Arc<Pipe> {
    Pipe::new(limits, Disk::new(limits.spool))
}

#[tokio::test]
async fn what_was_written_before_the_target_is_known_comes_first() {
    for early in [0, 1, 100 * KIB, MIB - 1, MIB, MIB + 1, 5 * MIB + 7] {
        let pipe = pipe(&limits());
        let all = pattern(early + 2 * MIB);
        fill(&pipe, all.slice(..early)).await.unwrap();
        let taken = take_all(&pipe);
        fill(&pipe, all.slice(early..)).await.unwrap();
        pipe.finish().await.unwrap();
        assert_eq!(taken.await.unwrap(), all, "{early}");
    }
}

#[tokio::test]
async fn a_full_pipe_has_no_room_until_something_is_taken() {
    let pipe = pipe(&limits());
    let mut body = bind(&pipe).unwrap();
    let mut held = 0;
    while let Ok(room @ 1..) = pipe.room() {
        let chunk = pattern(room.min(64 * KIB));
        held += chunk.len();
        pipe.push(chunk);
    }
    assert_eq!(held, 256 * KIB);
    let taken = body.try_next().await.unwrap().unwrap();
    assert_eq!(pipe.room().unwrap(), taken.len());
}

#[tokio::test]
async fn more_than_the_spool_takes_is_an_error_that_names_the_limit() {
    let pipe = pipe(&Limits { spool: MIB as u64, ..limits() });
    let Err(Stopped::Failed(failure)) = fill(&pipe, pattern(8 * MIB)).await else { panic!("it has to fail") };
    assert_eq!(failure.kind, ErrorKind::TooLarge);
    for part in ["1048576 bytes", "limits.spool", "write-data first"] {
        assert!(failure.message.contains(part), "{failure:?}");
    }
    let bound = bind(&pipe).err().unwrap();
    assert_eq!(bound.message(), failure.message);
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_takes_nothing_fails_the_body() {
    let pipe = pipe(&impatient());
    let mut body = bind(&pipe).unwrap();
    let Err(Stopped::Failed(failure)) = fill(&pipe, pattern(MIB)).await else { panic!("it has to fail") };
    assert_eq!(failure.kind, ErrorKind::Timeout);
    for part in ["object \"cat\"", "50ms (limits.backend-timeout); it is not stored"] {
        assert!(failure.message.contains(part), "{failure:?}");
    }
    assert_eq!(body.try_next().await.unwrap_err().message(), failure.message);
    assert!(body.try_next().await.unwrap().is_none(), "an error is the last item");
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_never_commits_leaves_the_outcome_unknown() {
    let pipe = pipe(&impatient());
    let body = bind(&pipe).unwrap();
    pipe.push(pattern(10));
    let (finished, taken) = tokio::join!(pipe.finish(), drain(body));
    assert_eq!(taken.unwrap(), pattern(10));
    let error = finished.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.message().contains("whether it was stored is unknown"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn an_upload_may_take_longer_than_the_limit_as_long_as_it_moves() {
    let pipe = pipe(&limits());
    let limit = limits().backend_timeout;
    let mut body = bind(&pipe).unwrap();
    for _ in 0..4 {
        pipe.push(pattern(64 * KIB));
    }
    let slow = async {
        let start = tokio::time::Instant::now();
        while let Some(chunk) = body.try_next().await.unwrap() {
            assert_eq!(chunk.len(), 64 * KIB);
            tokio::time::sleep(limit / 2).await;
        }
        pipe.settle(Ok(()));
        assert!(start.elapsed() > limit);
    };
    let (finished, ()) = tokio::join!(pipe.finish(), slow);
    finished.unwrap();
}

#[tokio::test]
async fn an_abandoned_body_ends_with_an_error() {
    let pipe = pipe(&limits());
    fill(&pipe, pattern(3 * MIB)).await.unwrap();
    let mut body = bind(&pipe).unwrap();
    assert!(body.try_next().await.unwrap().is_some());
    pipe.abandon();
    let error = drain(body).await.unwrap_err();
    assert!(error.message().contains("without being finished"), "{error}");
    assert!(matches!(pipe.room(), Err(Stopped::Closed)));
}
