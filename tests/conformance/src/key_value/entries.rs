use bytes::Bytes;
use slight_capabilities::{Bucket, ErrorKind, GUARANTEED_VALUE_BYTES, MAX_KEY_BYTES};

use super::{Scope, keys_of, text, value_of};
use crate::{
    check::{Failure, Outcome, done_or, equal, equal_bytes, require},
    content::pattern,
    listing::lists,
    names,
};

async fn requires_absence(bucket: &dyn Bucket, key: &str) -> Outcome {
    equal(format_args!("the value of {key:?}"), value_of(bucket, key).await?, None)?;
    equal(format_args!("whether {key:?} exists"), bucket.exists(key).await?, false)
}

async fn requires_value(bucket: &dyn Bucket, key: &str, value: &[u8]) -> Outcome {
    let found = value_of(bucket, key).await?;
    let found = found.ok_or_else(|| Failure::new(format!("expected a value for {key:?}, found none")))?;
    equal_bytes(format_args!("the value of {key:?}"), &found, value)?;
    equal(format_args!("whether {key:?} exists"), bucket.exists(key).await?, true)
}

pub(super) async fn a_value_comes_back_byte_for_byte(scope: &Scope) -> Outcome {
    let bucket = scope.bucket().await?;
    let every_byte: Vec<u8> = (0..=u8::MAX).collect();
    let values: [&[u8]; 9] =
        [&every_byte, b"\0", b"\xff\xfe\xc3", b" ", b"\r\n", b"{\"a\":1}\n", b"0", "\u{feff}é🦀".as_bytes(), b"nil"];
    for value in values {
        bucket.set("key", Bytes::copy_from_slice(value)).await?;
        let kept = requires_value(&*bucket, "key", value).await;
        kept.map_err(|failure| failure.within(format_args!("the bytes {:?}", String::from_utf8_lossy(value))))?;
    }
    Ok(())
}

pub(super) async fn an_empty_value_is_not_a_missing_one(scope: &Scope) -> Outcome {
    let bucket = scope.bucket().await?;
    bucket.set("key", Bytes::new()).await?;
    requires_value(&*bucket, "key", b"").await?;
    equal("get_many", bucket.get_many(&["key".into()]).await?, vec![text("")])?;
    lists("a bucket with an empty value", keys_of(&*bucket).await?, ["key".into()])
}

pub(super) async fn a_missing_key_reads_as_none(scope: &Scope) -> Outcome {
    let bucket = scope.bucket().await?;
    requires_absence(&*bucket, "key").await?;
    bucket.set("key", "1".into()).await?;
    requires_absence(&*bucket, "ke").await?;
    requires_absence(&*bucket, "key1").await
}

pub(super) async fn set_overwrites(scope: &Scope) -> Outcome {
    let bucket = scope.bucket().await?;
    for value in ["first", "a longer second", "3", "", "again"] {
        bucket.set("key", value.into()).await?;
        requires_value(&*bucket, "key", value.as_bytes()).await?;
    }
    lists("a bucket with one key", keys_of(&*bucket).await?, ["key".into()])
}

pub(super) async fn delete_removes_the_entry(scope: &Scope) -> Outcome {
    let bucket = scope.bucket().await?;
    for key in ["a", "b"] {
        bucket.set(key, "1".into()).await?;
    }
    bucket.delete("a").await?;
    requires_absence(&*bucket, "a").await?;
    lists("what is left", keys_of(&*bucket).await?, ["b".into()])?;
    requires_value(&*bucket, "b", b"1").await
}

pub(super) async fn delete_of_a_missing_key_succeeds(scope: &Scope) -> Outcome {
    let bucket = scope.bucket().await?;
    bucket.delete("never there").await?;
    bucket.set("key", "1".into()).await?;
    bucket.delete("key").await?;
    bucket.delete("key").await?;
    Ok(())
}

pub(super) async fn keys_may_hold_any_characters(scope: &Scope) -> Outcome {
    let bucket = scope.bucket().await?;
    let keys = names::odd(MAX_KEY_BYTES);
    for key in &keys {
        bucket.set(key, key.clone().into()).await?;
    }
    for key in &keys {
        requires_value(&*bucket, key, key.as_bytes()).await?;
    }
    lists("a bucket of odd keys", keys_of(&*bucket).await?, keys.clone())?;
    for key in &keys {
        bucket.delete(key).await?;
        requires_absence(&*bucket, key).await?;
    }
    Ok(())
}

pub(super) async fn keys_are_told_apart_exactly(scope: &Scope) -> Outcome {
    let bucket = scope.bucket().await?;
    for (index, key) in names::ALIKE.iter().enumerate() {
        // Those before were set: were one of them the same key, this one would be there.
        requires_absence(&*bucket, key).await?;
        bucket.set(key, index.to_string().into()).await?;
    }
    for (index, key) in names::ALIKE.iter().enumerate() {
        requires_value(&*bucket, key, index.to_string().as_bytes()).await?;
    }
    lists("a bucket of similar keys", keys_of(&*bucket).await?, names::ALIKE.map(str::to_owned))
}

pub(super) async fn a_value_of_512_kib_is_kept(scope: &Scope) -> Outcome {
    let bucket = scope.bucket().await?;
    let value = pattern(1, GUARANTEED_VALUE_BYTES);
    bucket.set("key", value.clone()).await?;
    requires_value(&*bucket, "key", &value).await
}

pub(super) async fn a_larger_value_is_kept_or_too_large(scope: &Scope) -> Outcome {
    let bucket = scope.bucket().await?;
    let value = pattern(1, 8 * 1024 * 1024);
    if done_or("setting 8 MiB", bucket.set("key", value.clone()).await, ErrorKind::TooLarge)? {
        requires_value(&*bucket, "key", &value).await
    } else {
        requires_absence(&*bucket, "key").await
    }
}

pub(super) async fn writes_are_read_at_once(scope: &Scope) -> Outcome {
    let bucket = scope.bucket().await?;
    requires_absence(&*bucket, "key").await?;
    lists("an empty bucket", keys_of(&*bucket).await?, [])?;
    for turn in 0..10 {
        let value = turn.to_string();
        bucket.set("key", value.clone().into()).await?;
        requires_value(&*bucket, "key", value.as_bytes()).await?;
        equal("get_many after set", bucket.get_many(&["key".into()]).await?, vec![Some(value.into())])?;
        lists("the bucket after set", keys_of(&*bucket).await?, ["key".into()])?;
        bucket.delete("key").await?;
        requires_absence(&*bucket, "key").await?;
        equal("get_many after delete", bucket.get_many(&["key".into()]).await?, vec![None])?;
        let keys = keys_of(&*bucket).await?;
        require(keys.is_empty(), format_args!("expected no keys after delete, found {keys:?}"))?;
    }
    Ok(())
}
