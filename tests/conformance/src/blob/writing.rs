use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::{StreamExt, future, stream};
use slight_capabilities::{ByteStream, Container, Error, ErrorKind, Result};
use tokio::{
    sync::{Barrier, Notify, mpsc},
    time::{sleep, timeout},
};

use super::{
    Scope,
    body::{MIB, body, chunks, content, holds, lacks, write},
    objects_of,
};
use crate::{
    check::{Failure, Outcome, described, done_or, require},
    content::pattern,
    listing::lists,
    race::race,
};

pub(super) async fn an_object_shows_only_when_its_stream_ended_well(scope: &Scope) -> Outcome {
    let container = scope.container().await?;
    write(&*container, "old", "old").await?;
    for name in ["old", "new"] {
        let (sender, receiver) = mpsc::channel::<Result<Bytes>>(1);
        let items = stream::unfold(receiver, |mut receiver| async move { Some((receiver.recv().await?, receiver)) });
        let writing = tokio::spawn({
            let container = container.clone();
            async move { container.write(name, body(items)).await }
        });
        // More than any part or block: some of it has been stored by now, if the provider stores as it goes.
        let whole = pattern(1, 12 * MIB);
        let mut rest = whole.clone();
        while !rest.is_empty() {
            let chunk = rest.split_to(MIB.min(rest.len()));
            let sent = timeout(scope.patience.event, sender.send(Ok(chunk))).await;
            require(matches!(sent, Ok(Ok(()))), "expected write to take the stream, found that it does not")?;
        }
        if name == "old" {
            holds(&*container, name, b"old").await?
        } else {
            lacks(&*container, name).await?
        }
        lists("the container while the stream goes on", objects_of(&*container).await?, ["old".into()])?;
        drop(sender);
        writing.await.map_err(|error| Failure::new(format!("expected no panic, found {error}")))??;
        holds(&*container, name, &whole).await?;
    }
    Ok(())
}

async fn fails_after(container: &dyn Container, name: &str, size: usize) -> Outcome {
    let end = stream::iter([Err(Error::new(ErrorKind::Denied, "the guest went away"))]);
    let failed = container.write(name, body(chunks(pattern(1, size)).chain(end))).await;
    match failed {
        Err(error) if error.kind() == ErrorKind::Denied && error.message() == "the guest went away" => Ok(()),
        Err(error) => Err(Failure::new(format!("expected the stream's own error, found {}", described(&error)))),
        Ok(()) => Err(Failure::new("expected the stream's own error, found success")),
    }
}

pub(super) async fn a_failed_stream_leaves_nothing_behind(scope: &Scope) -> Outcome {
    let container = scope.container().await?;
    write(&*container, "old", "old").await?;
    for size in [0, 100, 12 * MIB] {
        for name in ["old", "new"] {
            let failed = fails_after(&*container, name, size).await;
            failed
                .map_err(|failure| failure.within(format_args!("{name:?}, a stream that fails after {size} bytes")))?;
        }
        holds(&*container, "old", b"old").await?;
        lacks(&*container, "new").await?;
        lists("the container after the failures", objects_of(&*container).await?, ["old".into()])?;
    }
    Ok(())
}

/// A body whose second chunk comes when all writers have had their first, or soon: they may be let in one by one.
fn met(begun: Arc<Barrier>, chunks: ByteStream) -> ByteStream {
    const SOON: Duration = Duration::from_millis(200);
    let mut begun = Some(begun);
    let first = chunks.enumerate().then(move |(number, chunk)| {
        let wait = begun.take_if(|_| number == 1);
        async move {
            if let Some(begun) = wait {
                _ = timeout(SOON, begun.wait()).await;
            }
            chunk
        }
    });
    body(first)
}

pub(super) async fn racing_writes_leave_one_whole_object(scope: &Scope) -> Outcome {
    const WRITERS: usize = 6;
    let container = scope.container().await?;
    for turn in 0..3u64 {
        let contents: Vec<_> = (0..WRITERS as u64).map(|writer| pattern(turn * 10 + writer, 2 * MIB)).collect();
        let begun = Arc::new(Barrier::new(WRITERS));
        let writes = race(WRITERS, |writer| {
            let (container, written) = (container.clone(), contents.get(writer).cloned().unwrap_or_default());
            let body = met(begun.clone(), chunks(written.clone()));
            async move { (container.write("object", body).await, written) }
        });
        let mut stored = Vec::new();
        for (outcome, written) in writes.await? {
            if done_or(format_args!("a write in race {turn}"), outcome, ErrorKind::Conflict)? {
                stored.push(written);
            }
        }
        require(!stored.is_empty(), "expected one write of the race to succeed, found only conflicts")?;
        let left = content(&*container, "object").await?;
        let whole = stored.contains(&left);
        require(whole, format_args!("expected one of the objects written, found {} other bytes", left.len()))?;
        lists("the container after the race", objects_of(&*container).await?, ["object".into()])?;
    }
    Ok(())
}

pub(super) async fn a_stream_is_pulled_no_faster_than_it_is_stored(scope: &Scope) -> Outcome {
    /// In megabytes: when the caller of `write` pauses, what may be taken meanwhile, and what is there to take.
    const PAUSE: usize = 4;
    const AHEAD: usize = 32;
    const ALL: usize = 128;

    let container = scope.container().await?;
    let (pulled, paused, go_on) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()), Arc::new(Notify::new()));
    let items = stream::unfold((pulled.clone(), paused.clone(), go_on.clone()), |state| async move {
        let (pulled, paused, go_on) = &state;
        let number = pulled.fetch_add(1, Ordering::SeqCst) + 1;
        if number == PAUSE {
            paused.notify_one();
            go_on.notified().await;
        }
        if number > ALL {
            let end = (number == ALL + 1).then(|| Err(Error::other("enough")));
            return end.map(|end| (end, state));
        }
        // Cheap to make: were all of it taken at once, it would not fill the memory.
        static ZEROS: [u8; MIB] = [0; MIB];
        Some((Ok(Bytes::from_static(&ZEROS)), state))
    });
    let mut writing = pin!(container.write("object", body(items)));
    let mut pausing = pin!(paused.notified());
    let either = future::select(writing.as_mut(), pausing.as_mut());
    let taken = timeout(scope.patience.event, either).await;
    require(
        matches!(taken, Ok(future::Either::Right(_))),
        "expected write to take the stream, found that it does not",
    )?;

    // Nobody polls `write` from here on, and the stream is ready.
    go_on.notify_one();
    sleep(scope.patience.quiet).await;
    let ahead = pulled.load(Ordering::SeqCst).saturating_sub(PAUSE);
    require(ahead <= AHEAD, format_args!("expected at most {AHEAD} MiB taken ahead, found {ahead} MiB"))?;

    // All the megabytes together may take a busy server longer than any one event.
    let ended = timeout(4 * scope.patience.event, writing).await;
    require(matches!(ended, Ok(Err(_))), "expected the stream's own error in the end, found none")?;
    lacks(&*container, "object").await
}
