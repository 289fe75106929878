use azure_storage_blob::models::BlockListType;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use slight_capabilities::{ByteRange, Error, ErrorKind, ObjectId};
use slight_services::{Fault, Rule};
use tokio::sync::oneshot;

use crate::{
    raw,
    support::{MIB, Network, azurite, body, connect, container, eventually, pattern, read, unique, write},
};

#[tokio::test]
async fn a_read_that_is_cut_off_goes_on_where_it_was() {
    let Some(network) = Network::new() else { return };
    let container = container(&*network.connect().await).await;
    let content = pattern(3 * MIB);
    write(&*container, "object", &content).await;
    network.blobs.take_requests();
    network.blobs.add(Rule::always(Fault::CutBody(MIB as u64)).method("GET").times(2));
    assert_eq!(read(&*container, "object").await.unwrap(), content);
    assert_eq!(network.blobs.count("GET"), 3);
    network.blobs.add(Rule::once(Fault::CutBody(10)).method("GET"));
    let blob = container.read("object", ByteRange { start: 1000, end: 1_999_999 }).await.unwrap();
    let part: Vec<_> = blob.body.map(Result::unwrap).collect().await;
    assert_eq!(part.concat(), content[1000..2_000_000]);
}

#[tokio::test]
async fn a_read_that_is_cut_off_again_and_again_ends_with_an_error() {
    let Some(network) = Network::new() else { return };
    let container = container(&*network.connect().await).await;
    write(&*container, "object", &pattern(MIB)).await;
    network.blobs.add(Rule::once(Fault::CutBody(100_000)).method("GET"));
    network.blobs.add(Rule::always(Fault::CutBody(0)).method("GET"));
    let error = read(&*container, "object").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
}

#[tokio::test]
async fn a_read_is_of_one_version_or_fails() {
    let Some(network) = Network::new() else { return };
    let container = container(&*network.connect().await).await;
    for overwritten in [true, false] {
        write(&*container, "object", &pattern(3 * MIB)).await;
        network.blobs.add(Rule::once(Fault::CutBody(MIB as u64)).method("GET"));
        let mut blob = container.read("object", ByteRange::ALL).await.unwrap();
        blob.body.next().await.unwrap().unwrap();
        match overwritten {
            true => write(&*container, "object", &pattern(3 * MIB + 1)).await,
            false => container.delete(&["object".into()]).await.unwrap(),
        }
        let rest: Vec<_> = blob.body.collect().await;
        let error = rest.last().unwrap().as_ref().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
        assert_eq!(rest.iter().filter(|item| item.is_err()).count(), 1);
    }
}

#[tokio::test]
async fn an_upload_outlives_failures_of_its_parts_and_of_its_end() {
    let Some(network) = Network::new() else { return };
    let container = container(&*network.connect().await).await;
    let content = pattern(9 * MIB);
    for fault in [Fault::answer(503, ""), Fault::answer(500, ""), Fault::CutRequest, Fault::CutAnswer] {
        network.blobs.add(Rule::always(fault.clone()).target("blockid=").times(2));
        network.blobs.add(Rule::once(fault.clone()).target("comp=blocklist"));
        write(&*container, "object", &content).await;
        network.blobs.clear();
        assert_eq!(read(&*container, "object").await.unwrap(), content, "{fault:?}");
        container.delete(&["object".into()]).await.unwrap();
    }
}

#[tokio::test]
async fn of_an_upload_that_fails_nothing_is_to_be_seen() {
    let Some(network) = Network::new() else { return };
    let container = container(&*network.connect().await).await;
    // The stream, its parts, or its end.
    let broken = body(vec![Ok(pattern(9 * MIB)), Err(Error::other("the stream broke"))]);
    assert_eq!(container.write("object", broken).await.unwrap_err().message(), "the stream broke");
    for part in ["blockid=", "comp=blocklist"] {
        network.blobs.add(Rule::always(Fault::answer(500, "")).target(part));
        let error = container.write("object", body(vec![Ok(pattern(9 * MIB))])).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        network.blobs.clear();
    }
    // Dropped while it waits for more.
    let endless = Box::pin(stream::iter([Ok(pattern(9 * MIB))]).chain(stream::pending()));
    network.blobs.take_requests();
    tokio::select! {
        ended = container.write("object", endless) => panic!("it cannot end: {ended:?}"),
        () = eventually("blocks on their way", async || network.blobs.count("PUT") >= 2) => {}
    }
    assert_eq!(container.stat("object").await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(container.list(None).await.unwrap().items, [""; 0]);
}

#[tokio::test]
async fn the_loser_of_a_race_of_uploads_is_told() {
    let Some(string) = azurite() else { return };
    let provider = connect(&string).await;
    let (store, name) = (provider.blob().unwrap(), unique("container"));
    let container = store.create(&name).await.unwrap();
    let blob =
        raw::blobs(&string).blob_container_client("slight-blob").blob_client(&format!("{}/object", name.encoded()));
    let blob = blob.block_blob_client();
    let (go_on, waiting) = oneshot::channel();
    let end = stream::once(async move { waiting.await.map_or(Ok(Bytes::new()), Ok) });
    let slow = Box::pin(stream::iter([Ok(pattern(8 * MIB))]).chain(end));
    let writing = tokio::spawn({
        let container = container.clone();
        async move { container.write("object", slow).await }
    });
    eventually("the blocks of the slow one", async || {
        let list = blob.get_block_list(BlockListType::Uncommitted, None).await;
        let blocks = list.ok().and_then(|list| list.into_model().ok()).and_then(|list| list.uncommitted_blocks);
        blocks.is_some_and(|blocks| blocks.len() == 2)
    })
    .await;
    let quick = pattern(9 * MIB);
    write(&*container, "object", &quick).await;
    go_on.send(pattern(MIB)).unwrap();
    let lost = writing.await.unwrap().unwrap_err();
    assert_eq!(lost.kind(), ErrorKind::Conflict, "{lost}");
    assert_eq!(read(&*container, "object").await.unwrap(), quick);
}

#[tokio::test]
async fn a_copy_is_asked_for_again() {
    let Some(network) = Network::new() else { return };
    let store = network.connect().await.blob().unwrap();
    let name = unique("container");
    let container = store.create(&name).await.unwrap();
    write(&*container, "object", &pattern(MIB)).await;
    let id = |object: &str| ObjectId { container: name.clone(), object: object.to_owned() };
    for (number, fault) in [Fault::answer(503, ""), Fault::CutAnswer].into_iter().enumerate() {
        network.blobs.add(Rule::once(fault).method("PUT"));
        let copy = format!("copy {number}");
        store.copy(&id("object"), &id(&copy)).await.unwrap();
        assert_eq!(read(&*container, &copy).await.unwrap(), pattern(MIB));
    }
}
