use std::collections::BTreeSet;

use bytes::Bytes;
use slight_capabilities::{Bucket, Cursor, ErrorKind};

use crate::{
    raw,
    support::{Network, azurite, bucket, connect, unique},
};

const KEYS: usize = 2500;

async fn fill(bucket: &dyn Bucket) -> BTreeSet<String> {
    let keys: Vec<_> = (0..KEYS).map(|number| format!("key/{number}")).collect();
    bucket.set_many(keys.iter().map(|key| (key.clone(), Bytes::from_static(b"1"))).collect()).await.unwrap();
    keys.into_iter().collect()
}

#[tokio::test]
async fn many_keys_are_listed_in_pages_of_a_thousand_with_one_request_each() {
    let Some(network) = Network::new() else { return };
    let provider = network.connect().await;
    let bucket = bucket(&*provider).await;
    let keys = fill(&*bucket).await;
    let other = provider.key_value().unwrap().open(&unique("other")).await.unwrap();
    other.set("key", "1".into()).await.unwrap();
    network.blobs.take_requests();
    let (mut listed, mut pages, mut next) = (Vec::new(), Vec::new(), None);
    loop {
        let page = bucket.keys(next.as_ref()).await.unwrap();
        pages.push(page.items.len());
        listed.extend(page.items);
        next = page.next;
        if next.is_none() {
            break;
        }
    }
    assert_eq!(pages, [1000, 1000, 500]);
    assert_eq!(network.blobs.take_requests().len(), pages.len());
    let listed: BTreeSet<_> = listed.into_iter().collect();
    assert_eq!((keys.difference(&listed).count(), listed.difference(&keys).count()), (0, 0));
}

#[tokio::test]
async fn blobs_of_other_programs_are_no_harm() {
    let Some(string) = azurite() else { return };
    let provider = connect(&string).await;
    let name = unique("bucket");
    let bucket = provider.key_value().unwrap().open(&name).await.unwrap();
    bucket.set("seen", "1".into()).await.unwrap();
    let container = raw::blobs(&string).blob_container_client("slight-kv");
    for foreign in ["a b", "=YR", "a:b"] {
        let blob = container.blob_client(&format!("{}/{foreign}", name.encoded()));
        blob.upload(Bytes::from_static(b"foreign").into(), None).await.unwrap();
    }
    assert_eq!(bucket.keys(None).await.unwrap().items, ["seen"]);
}

#[tokio::test]
async fn values_are_in_blobs_of_the_names_that_the_page_tells() {
    let Some(string) = azurite() else { return };
    let provider = connect(&string).await;
    let tail = unique("x").name.replace(' ', "-");
    let name = slight_capabilities::QualifiedName::new("team/", format!("carts/{tail}"));
    let bucket = provider.key_value().unwrap().open(&name).await.unwrap();
    let deep = "a/".repeat(250) + "b";
    for (key, blob) in [("users/42", "users/42"), ("..", "=Li4"), (&deep, &deep.replace('/', ":"))] {
        bucket.set(key, key.to_owned().into()).await.unwrap();
        let container = raw::blobs(&string).blob_container_client("slight-kv");
        let found = container.blob_client(&format!("team:=:carts:{tail}/{blob}")).download(None).await.unwrap();
        assert_eq!(found.body.collect().await.unwrap(), key);
    }
    assert_eq!(bucket.keys(None).await.unwrap().items.len(), 3);
}

#[tokio::test]
async fn a_cursor_with_a_place_that_azure_does_not_know_is_no_wrong_page() {
    let Some(string) = azurite() else { return };
    let bucket = bucket(&*connect(&string).await).await;
    let error = bucket.keys(Some(&Cursor::from("AAAAAAAA".to_owned()))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}
