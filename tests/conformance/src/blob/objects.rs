use bytes::Bytes;
use crc32fast::Hasher;
use futures_util::{StreamExt, stream};
use slight_capabilities::{ByteRange, MAX_KEY_BYTES};

use super::{
    Scope,
    body::{MIB, body, holds, lacks, write},
    objects_of,
};
use crate::{
    check::{Outcome, equal},
    content::pattern,
    listing::lists,
    names,
};

pub(super) async fn an_object_comes_back_byte_for_byte(scope: &Scope) -> Outcome {
    let container = scope.container().await?;
    let every_byte: Bytes = (0..=u8::MAX).collect();
    for content in [Bytes::new(), Bytes::from_static(b"\0"), every_byte, pattern(1, 100_000), pattern(2, 12 * MIB + 1)]
    {
        write(&*container, "object", content.clone()).await?;
        holds(&*container, "object", &content).await?;
    }
    // Chunks of all sizes, empty ones among them.
    let sizes = [0, 1, 0, 7, 4096, 0, 65_537, 1, 1, 300_000, 0];
    let parts: Vec<_> = sizes.iter().zip(1..).map(|(size, seed)| pattern(seed, *size)).collect();
    container.write("object", body(stream::iter(parts.clone().into_iter().map(Ok)))).await?;
    holds(&*container, "object", &parts.concat()).await
}

pub(super) async fn an_object_of_64_mib_streams_through(scope: &Scope) -> Outcome {
    const CHUNKS: u64 = 256;
    const SIZE: usize = MIB / 4;
    let container = scope.container().await?;
    let chunk = pattern(1, SIZE - size_of::<u64>());
    // Every chunk begins with its number, so that none can stand for another.
    let numbered = move |number: u64| {
        let mut numbered = Vec::with_capacity(SIZE);
        numbered.extend_from_slice(&number.to_be_bytes());
        numbered.extend_from_slice(&chunk);
        Bytes::from(numbered)
    };
    let mut written = Hasher::new();
    for number in 0..CHUNKS {
        written.update(&numbered(number));
    }
    container.write("object", body(stream::iter(0..CHUNKS).map(move |number| Ok(numbered(number))))).await?;

    let mut blob = container.read("object", ByteRange::ALL).await?;
    let (mut read, mut size) = (Hasher::new(), 0);
    while let Some(bytes) = blob.body.next().await {
        let bytes = bytes?;
        read.update(&bytes);
        size += bytes.len() as u64;
    }
    equal("the bytes read", size, CHUNKS * SIZE as u64)?;
    equal("their checksum", read.finalize(), written.finalize())
}

pub(super) async fn object_names_may_hold_any_characters(scope: &Scope) -> Outcome {
    let container = scope.container().await?;
    let mut all = names::odd(MAX_KEY_BYTES);
    all.extend(names::ALIKE.map(str::to_owned));
    all.sort_unstable();
    all.dedup();
    for name in &all {
        lacks(&*container, name).await?;
        write(&*container, name, name.clone()).await?;
    }
    for name in &all {
        holds(&*container, name, name.as_bytes()).await?;
    }
    lists("a container of odd names", objects_of(&*container).await?, all.clone())?;
    for name in &all {
        container.delete(std::slice::from_ref(name)).await?;
        lacks(&*container, name).await?;
    }
    lists("the container after the deletes", objects_of(&*container).await?, [])
}

pub(super) async fn a_name_may_be_the_path_of_another(scope: &Scope) -> Outcome {
    let container = scope.container().await?;
    // In this order, and in the other.
    for names in [["a", "a/b", "a/b/c"], ["x/y/z", "x/y", "x"]] {
        for name in names {
            write(&*container, name, name).await?;
        }
        for name in names {
            holds(&*container, name, name.as_bytes()).await?;
        }
    }
    container.delete(&["a/b".into(), "x".into()]).await?;
    lists("what is left", objects_of(&*container).await?, ["a", "a/b/c", "x/y", "x/y/z"].map(str::to_owned))
}

pub(super) async fn write_overwrites(scope: &Scope) -> Outcome {
    let container = scope.container().await?;
    for (seed, size) in [(1, 100), (2, 7 * MIB), (3, 50), (4, 0), (5, 1)] {
        let content = pattern(seed, size);
        write(&*container, "object", content.clone()).await?;
        holds(&*container, "object", &content).await?;
    }
    lists("a container with one object", objects_of(&*container).await?, ["object".into()])
}
