use std::{collections::BTreeSet, sync::Arc};

use bytes::Bytes;
use slight_capabilities::Bucket;

use super::{Scope, keys_of};
use crate::{
    check::{Outcome, require},
    listing::{lists, no_empty_pages, one_empty_page, refuses_cursors, rest},
};

/// More than one page of every provider that gives pages of a thousand.
const MANY: usize = 1025;

async fn bucket_of_many(scope: &Scope) -> Outcome<(Arc<dyn Bucket>, Vec<String>)> {
    let bucket = scope.bucket().await?;
    let keys: Vec<_> = (0..MANY).map(|number| format!("key/{number}")).collect();
    bucket.set_many(keys.iter().map(|key| (key.clone(), Bytes::from_static(b"1"))).collect()).await?;
    Ok((bucket, keys))
}

pub(super) async fn an_empty_bucket_lists_as_one_empty_page(scope: &Scope) -> Outcome {
    let bucket = scope.bucket().await?;
    one_empty_page(bucket.keys(None).await?)?;
    bucket.set("key", "1".into()).await?;
    bucket.delete("key").await?;
    one_empty_page(bucket.keys(None).await?)
}

pub(super) async fn every_key_is_listed_once(scope: &Scope) -> Outcome {
    let (bucket, keys) = bucket_of_many(scope).await?;
    lists("a bucket of many keys", keys_of(&*bucket).await?, keys)
}

pub(super) async fn no_page_is_empty_unless_it_is_the_last(scope: &Scope) -> Outcome {
    let (bucket, mut keys) = bucket_of_many(scope).await?;
    no_empty_pages(async |cursor| bucket.keys(cursor.as_ref()).await).await?;
    // Few keys among many that are gone: where a backend scans, most of its steps find nothing.
    let few = keys.split_off(MANY - 3);
    bucket.delete_many(&keys).await?;
    no_empty_pages(async |cursor| bucket.keys(cursor.as_ref()).await).await?;
    lists("the keys left", keys_of(&*bucket).await?, few)
}

pub(super) async fn keys_present_throughout_are_listed_while_others_are_deleted(scope: &Scope) -> Outcome {
    let (bucket, keys) = bucket_of_many(scope).await?;
    let first = bucket.keys(None).await?;
    // Most of them from the page already seen: a listing that counts positions skips as many of the others.
    let seen: BTreeSet<_> = first.items.iter().cloned().collect();
    let (kept, deleted): (Vec<_>, Vec<_>) =
        keys.into_iter().enumerate().partition(|(number, key)| number % 5 == 0 || !seen.contains(key));
    let deleted: Vec<_> = deleted.into_iter().map(|(_, key)| key).collect();
    bucket.delete_many(&deleted).await?;
    let listed = rest(first, async |cursor| bucket.keys(cursor.as_ref()).await).await?;
    let listed: BTreeSet<_> = listed.into_iter().collect();
    let missed: Vec<_> = kept.into_iter().map(|(_, key)| key).filter(|key| !listed.contains(key)).collect();
    require(missed.is_empty(), format_args!("expected every key that stayed, found {} missing", missed.len()))
}

pub(super) async fn a_made_up_cursor_is_invalid(scope: &Scope) -> Outcome {
    let (other, _) = bucket_of_many(scope).await?;
    let foreign = other.keys(None).await?.next;
    let bucket = scope.bucket().await?;
    bucket.set("key", "1".into()).await?;
    refuses_cursors(foreign, async |cursor| bucket.keys(cursor.as_ref()).await).await
}
