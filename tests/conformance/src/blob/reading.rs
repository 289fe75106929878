use bytes::Bytes;
use futures_util::StreamExt;
use slight_capabilities::{Blob, ByteRange, Container, ErrorKind};

use super::{
    Scope,
    body::{MIB, holds, lacks, received, write},
    is_now,
};
use crate::{
    check::{Failure, Outcome, equal, equal_bytes, refused, require},
    content::pattern,
    race::race,
};

/// Reads ranges `(start, end, expected)` of an object.
async fn reads(container: &dyn Container, object: &str, ranges: &[(u64, u64, &[u8])]) -> Outcome {
    for &(start, end, expected) in ranges {
        let what = format!("bytes {start} to {end} of {object:?}");
        let blob = container.read(object, ByteRange { start, end }).await;
        let blob = blob.map_err(|error| Failure::from(error).within(&what))?;
        equal(format_args!("the size of {what}"), blob.size, expected.len() as u64)?;
        equal_bytes(&what, &received(blob).await.map_err(|failure| failure.within(&what))?, expected)?;
    }
    Ok(())
}

pub(super) async fn a_range_is_inclusive(scope: &Scope) -> Outcome {
    let container = scope.container().await?;
    write(&*container, "short", "0123456789").await?;
    let ranges: [(u64, u64, &[u8]); 5] =
        [(0, 0, b"0"), (9, 9, b"9"), (3, 5, b"345"), (0, 9, b"0123456789"), (0, 8, b"012345678")];
    reads(&*container, "short", &ranges).await?;

    // Around the places where chunks, parts and blocks meet.
    let content = pattern(1, 10 * MIB);
    write(&*container, "long", content.clone()).await?;
    for middle in [64 * 1024, 128 * 1024, MIB, 4 * MIB, 5 * MIB, 8 * MIB] {
        for (start, end) in [(middle - 1, middle), (middle, middle), (middle - 60_000, middle + 70_000)] {
            let expected = content.slice(start..=end);
            reads(&*container, "long", &[(start as u64, end as u64, &expected)]).await?;
        }
    }
    Ok(())
}

pub(super) async fn an_end_past_the_object_is_clamped(scope: &Scope) -> Outcome {
    let container = scope.container().await?;
    write(&*container, "object", "0123456789").await?;
    let ranges: [(u64, u64, &[u8]); 5] = [
        (0, 10, b"0123456789"),
        (0, u64::MAX, b"0123456789"),
        (9, 10, b"9"),
        (4, 1_000_000_000_000, b"456789"),
        (9, u64::MAX, b"9"),
    ];
    reads(&*container, "object", &ranges).await
}

pub(super) async fn a_start_past_the_end_is_empty(scope: &Scope) -> Outcome {
    let container = scope.container().await?;
    write(&*container, "object", "0123456789").await?;
    let ranges = [(10, 10), (10, u64::MAX), (11, 20), (u64::MAX, u64::MAX), (5, 4), (9, 0), (u64::MAX, 0)];
    reads(&*container, "object", &ranges.map(|(start, end)| (start, end, &b""[..]))).await?;
    write(&*container, "empty", "").await?;
    let ranges = [(0, 0), (0, u64::MAX), (1, 1), (1, 0)];
    reads(&*container, "empty", &ranges.map(|(start, end)| (start, end, &b""[..]))).await?;
    let missing = container.read("missing", ByteRange { start: 1, end: 0 }).await;
    refused("an empty range of a missing object", missing, ErrorKind::NotFound)
}

pub(super) async fn the_size_is_that_of_the_range(scope: &Scope) -> Outcome {
    let container = scope.container().await?;
    write(&*container, "object", pattern(1, 3 * MIB)).await?;
    let all = 3 * MIB as u64;
    let ranges =
        [(0, u64::MAX, all), (0, 0, 1), (1, 100_000, 100_000), (all - 5, all + 5, 5), (all, all, 0), (7, 6, 0)];
    for (start, end, size) in ranges {
        let blob = container.read("object", ByteRange { start, end }).await?;
        equal(format_args!("the size of bytes {start} to {end}"), blob.size, size)?;
        // Fails if the stream yields more or less.
        received(blob).await?;
    }
    Ok(())
}

pub(super) async fn a_missing_object_is_not_found(scope: &Scope) -> Outcome {
    let container = scope.container().await?;
    lacks(&*container, "object").await?;
    write(&*container, "object", "1").await?;
    for name in ["objec", "object1", "object/"] {
        lacks(&*container, name).await?;
    }
    container.delete(&["object".into()]).await?;
    lacks(&*container, "object").await
}

/// What is left of a read: all of it, or an error on the way.
async fn rest_of(blob: Blob, begun: Bytes) -> Option<Bytes> {
    let (size, mut body, mut content) = (blob.size, blob.body, begun.to_vec());
    while let Some(chunk) = body.next().await {
        content.extend_from_slice(&chunk.ok()?);
    }
    // Cut short without an error: made so that it equals no version.
    if content.len() as u64 != size {
        content.clear();
    }
    Some(content.into())
}

#[track_caller]
fn is_one_of(what: &str, found: Option<Bytes>, versions: &[&Bytes]) -> Outcome {
    let whole = found.as_ref().is_none_or(|found| versions.contains(&found));
    require(whole, format_args!("{what}: expected one version whole or an error, found a mixture or a cut"))
}

pub(super) async fn a_read_gives_one_version_whole(scope: &Scope) -> Outcome {
    let container = scope.container().await?;
    let (old, new) = (pattern(1, 9 * MIB), pattern(2, 8 * MIB));

    for begins in [false, true] {
        for deletes in [false, true] {
            write(&*container, "object", old.clone()).await?;
            let mut blob = container.read("object", ByteRange::ALL).await?;
            let begun = if begins { blob.body.next().await.transpose()?.unwrap_or_default() } else { Bytes::new() };
            if deletes {
                container.delete(&["object".into()]).await?;
            } else {
                write(&*container, "object", new.clone()).await?;
            }
            let what = if deletes { "a read while it is deleted" } else { "a read while it is overwritten" };
            is_one_of(what, rest_of(blob, begun).await, &[&old, &new])?;
        }
    }

    // Nobody waits for the other here.
    write(&*container, "object", old.clone()).await?;
    let raced = race(4, |number| {
        let (container, old, new) = (container.clone(), old.clone(), new.clone());
        async move {
            for turn in 0..4 {
                if number == 0 {
                    let version = if turn % 2 == 0 { &new } else { &old };
                    write(&*container, "object", version.clone()).await?;
                } else {
                    let blob = container.read("object", ByteRange::ALL).await?;
                    is_one_of("a read in a race", rest_of(blob, Bytes::new()).await, &[&old, &new])?;
                }
            }
            Outcome::Ok(())
        }
    });
    raced.await?.into_iter().collect()
}

pub(super) async fn stat_tells_size_and_time(scope: &Scope) -> Outcome {
    let container = scope.container().await?;
    for size in [0, 1, 3 * MIB] {
        write(&*container, "object", pattern(1, size)).await?;
        let info = container.stat("object").await?;
        equal("the size", info.size, size as u64)?;
        is_now("created_at", info.created_at)?;
    }
    holds(&*container, "object", &pattern(1, 3 * MIB)).await
}
