use slight_capabilities::{MAX_NAME_BYTES, QualifiedName};

use super::{Scope, keys_of, text, value_of};
use crate::{
    check::{Outcome, equal, require},
    listing::{lists, one_empty_page},
    names::{self, Prefix},
};

/// Writes to a bucket under each name, and finds in each what was written there and no more.
async fn are_apart(scope: &Scope, names: &[QualifiedName]) -> Outcome {
    let mut buckets = Vec::new();
    for name in names {
        let bucket = scope.open(name).await?;
        bucket.set("key", name.name.clone().into()).await?;
        equal(format_args!("the counter of bucket {name:?}"), bucket.increment("n", 1).await?, 1)?;
        buckets.push((name, bucket));
    }
    for (name, bucket) in &buckets {
        let what = format!("bucket {name:?}");
        equal(format_args!("key of {what}"), value_of(&**bucket, "key").await?, Some(name.name.clone().into()))?;
        lists(&what, keys_of(&**bucket).await?, ["key".into(), "n".into()])?;
    }
    for (name, bucket) in &buckets {
        require(
            bucket.exists("key").await?,
            format_args!("expected key in bucket {name:?} until it is deleted there"),
        )?;
        bucket.delete("key").await?;
    }
    Ok(())
}

pub(super) async fn two_buckets_are_isolated(scope: &Scope) -> Outcome {
    let prefix = Prefix::unique();
    are_apart(scope, &["a", "A", "a/", "a:b", "a:", "ab", "a/b", "a%3Ab", "a_b"].map(|name| prefix.name(name))).await
}

pub(super) async fn a_prefix_isolates_buckets(scope: &Scope) -> Outcome {
    are_apart(scope, &names::under_prefixes()).await
}

pub(super) async fn bucket_names_may_hold_any_characters(scope: &Scope) -> Outcome {
    let prefix = Prefix::unique();
    let names: Vec<_> = names::odd(MAX_NAME_BYTES).iter().map(|name| prefix.name(name)).collect();
    are_apart(scope, &names).await
}

pub(super) async fn a_second_open_sees_the_writes_of_the_first(scope: &Scope) -> Outcome {
    let name = QualifiedName::from(names::unique().as_str());
    let first = scope.open(&name).await?;
    first.set("a", "1".into()).await?;
    let second = scope.open(&name).await?;
    equal("what the second handle reads", value_of(&*second, "a").await?, text("1"))?;
    second.set("a", "2".into()).await?;
    equal("what the first handle reads", value_of(&*first, "a").await?, text("2"))
}

pub(super) async fn opening_makes_nothing_visible(scope: &Scope) -> Outcome {
    let name = QualifiedName::from(names::unique().as_str());
    one_empty_page(scope.open(&name).await?.keys(None).await?)?;
    one_empty_page(scope.open(&name).await?.keys(None).await?)
}
