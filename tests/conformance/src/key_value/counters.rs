use slight_capabilities::{Bucket, ErrorKind};

use super::{Scope, entry_of, text, value_of};
use crate::{
    check::{Outcome, equal, refused},
    race::race,
};

const TASKS: usize = 5;
const TURNS: usize = 100;

async fn adds(bucket: &dyn Bucket, delta: i64, sum: i64) -> Outcome {
    equal(format_args!("the sum after adding {delta}"), bucket.increment("n", delta).await?, sum)
}

pub(super) async fn increment_starts_from_zero(scope: &Scope) -> Outcome {
    for delta in [1, 0, -7, i64::MAX, i64::MIN] {
        let bucket = scope.bucket().await?;
        adds(&*bucket, delta, delta).await?;
        equal("the counter", value_of(&*bucket, "n").await?, Some(delta.to_string().into()))?;
    }
    Ok(())
}

pub(super) async fn increment_adds_and_returns_the_sum(scope: &Scope) -> Outcome {
    let bucket = scope.bucket().await?;
    for (delta, sum) in [(5, 5), (0, 5), (-3, 2), (-10, -8), (8, 0), (i64::MAX, i64::MAX), (i64::MIN, -1)] {
        adds(&*bucket, delta, sum).await?;
    }
    Ok(())
}

pub(super) async fn a_counter_reads_as_decimal_text(scope: &Scope) -> Outcome {
    let bucket = scope.bucket().await?;
    adds(&*bucket, 12, 12).await?;
    equal("the counter", value_of(&*bucket, "n").await?, text("12"))?;
    for (value, sum) in [("41", 42), ("-3", -2), ("0", 1), ("9223372036854775806", i64::MAX)] {
        bucket.set("n", value.into()).await?;
        adds(&*bucket, 1, sum).await?;
        equal("the counter", value_of(&*bucket, "n").await?, Some(sum.to_string().into()))?;
    }
    Ok(())
}

pub(super) async fn increment_of_something_else_is_invalid(scope: &Scope) -> Outcome {
    let bucket = scope.bucket().await?;
    for value in ["abc", "+1", "01", " 1", "1 ", "", "-0", "1.0", "0x1", "9223372036854775808", "1\n", "١"] {
        bucket.set("n", value.into()).await?;
        let what = format!("incrementing {value:?}");
        refused(what, bucket.increment("n", 1).await, ErrorKind::Invalid)?;
        equal("the value after the error", value_of(&*bucket, "n").await?, text(value))?;
    }
    Ok(())
}

pub(super) async fn increment_beyond_64_bits_is_an_error(scope: &Scope) -> Outcome {
    let bucket = scope.bucket().await?;
    for (value, delta) in [("9223372036854775807", 1), ("-9223372036854775808", -1), ("1", i64::MAX), ("-2", i64::MIN)]
    {
        bucket.set("n", value.into()).await?;
        let what = format!("adding {delta} to {value}");
        refused(what, bucket.increment("n", delta).await, ErrorKind::Invalid)?;
        equal("the value after the error", value_of(&*bucket, "n").await?, text(value))?;
    }
    Ok(())
}

pub(super) async fn racing_increments_lose_none(scope: &Scope) -> Outcome {
    let bucket = scope.bucket().await?;
    let tasks = race(TASKS, |_| {
        let bucket = bucket.clone();
        async move {
            let mut sums = Vec::new();
            for _ in 0..TURNS {
                sums.push(bucket.increment("n", 1).await?);
            }
            Outcome::Ok(sums)
        }
    });
    let mut sums = Vec::new();
    for task in tasks.await? {
        sums.extend(task?);
    }
    let total = (TASKS * TURNS) as i64;
    equal("the counter", value_of(&*bucket, "n").await?, Some(total.to_string().into()))?;
    sums.sort_unstable();
    equal("the sums returned, in order", sums, (1..=total).collect())
}

pub(super) async fn increments_and_swaps_mix(scope: &Scope) -> Outcome {
    let bucket = scope.bucket().await?;
    adds(&*bucket, 1, 1).await?;
    let old = entry_of(&*bucket, "n").await?;
    adds(&*bucket, 1, 2).await?;
    refused("a swap after an increment", bucket.swap("n", Some(&old.version), "9".into()).await, ErrorKind::Conflict)?;
    let new = entry_of(&*bucket, "n").await?;
    bucket.swap("n", Some(&new.version), "9".into()).await?;
    adds(&*bucket, 1, 10).await
}
