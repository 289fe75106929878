use std::collections::BTreeSet;

use bytes::Bytes;
use slight_capabilities::Bucket;

use crate::support::{S3_BUCKET, place};

const MANY: usize = 5_000;

/// A listing to its end: the names in their order, and the sizes of the pages.
async fn list(bucket: &dyn Bucket) -> (Vec<String>, Vec<usize>) {
    let (mut names, mut sizes, mut next) = (Vec::new(), Vec::new(), None);
    loop {
        let page = bucket.keys(next.as_ref()).await.unwrap();
        sizes.push(page.items.len());
        names.extend(page.items);
        next = page.next;
        if next.is_none() {
            return (names, sizes);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_keys_are_listed_in_pages_of_a_thousand() {
    let Some(place) = place() else { return };
    let bucket = place.bucket().await;
    let keys: Vec<_> = (0..MANY).map(|number| format!("folder {}/key/{number}", number % 7)).collect();
    bucket.set_many(keys.iter().map(|key| (key.clone(), Bytes::from_static(b"1"))).collect()).await.unwrap();
    let (listed, sizes) = list(&*bucket).await;
    assert_eq!(listed.len(), MANY, "each once");
    assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), keys.into_iter().collect());
    assert_eq!(sizes.iter().max(), Some(&1000), "{sizes:?}");
}

#[tokio::test]
async fn keys_of_other_programs_are_no_harm() {
    let Some(place) = place() else { return };
    let bucket = place.bucket().await;
    bucket.set("seen", "1".into()).await.unwrap();
    for key in ["kv/bucket/with space", "kv/bucket/=YQ", "kv/bucket/.hidden", "kv/bucket2/other", "kv/loose"] {
        let key = format!("{}/{key}", place.prefix);
        place.client().put_object().bucket(S3_BUCKET).key(key).send().await.unwrap();
    }
    assert_eq!(list(&*bucket).await.0, ["seen"]);
}
