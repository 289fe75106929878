use super::{Scope, keys_of, text};
use crate::{
    check::{Outcome, equal},
    listing::lists,
};

fn owned<const N: usize>(keys: [&str; N]) -> Vec<String> {
    keys.map(str::to_owned).to_vec()
}

pub(super) async fn get_many_keeps_the_order_and_marks_what_is_missing(scope: &Scope) -> Outcome {
    let bucket = scope.bucket().await?;
    for (key, value) in [("a", "1"), ("b", ""), ("c", "3")] {
        bucket.set(key, value.into()).await?;
    }
    let found = bucket.get_many(&owned(["c", "x", "a", "b", "a", "y", "c"])).await?;
    equal("the values", found, vec![text("3"), None, text("1"), text(""), text("1"), None, text("3")])
}

pub(super) async fn set_many_sets_all(scope: &Scope) -> Outcome {
    let bucket = scope.bucket().await?;
    bucket.set("b", "old".into()).await?;
    let entries = [("a", "1"), ("b", "2"), ("c", ""), ("a", "4"), ("d", "5"), ("a", "6")];
    bucket.set_many(entries.map(|(key, value)| (key.to_owned(), value.into())).to_vec()).await?;
    let found = bucket.get_many(&owned(["a", "b", "c", "d"])).await?;
    equal("the values", found, vec![text("6"), text("2"), text(""), text("5")])?;
    lists("the bucket", keys_of(&*bucket).await?, owned(["a", "b", "c", "d"]))
}

pub(super) async fn delete_many_deletes_all(scope: &Scope) -> Outcome {
    let bucket = scope.bucket().await?;
    for key in ["a", "b", "c", "d"] {
        bucket.set(key, "1".into()).await?;
    }
    bucket.delete_many(&owned(["a", "missing", "c", "a", "d"])).await?;
    lists("what is left", keys_of(&*bucket).await?, owned(["b"]))?;
    bucket.delete_many(&owned(["a", "missing"])).await?;
    lists("what is left", keys_of(&*bucket).await?, owned(["b"]))
}

pub(super) async fn empty_batches_succeed(scope: &Scope) -> Outcome {
    let bucket = scope.bucket().await?;
    bucket.set("a", "1".into()).await?;
    equal("the values of no keys", bucket.get_many(&[]).await?, Vec::new())?;
    bucket.set_many(Vec::new()).await?;
    bucket.delete_many(&[]).await?;
    lists("the bucket", keys_of(&*bucket).await?, owned(["a"]))
}
