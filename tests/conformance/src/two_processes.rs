//! Cases of a bucket that two processes use: to the backend, two providers are no less.

use std::{sync::Arc, time::Duration};

use slight_capabilities::{Bucket, Capability, Error, ErrorKind, Result, parse_counter};
use tokio::time::Instant;

use crate::{
    case::{self, Case, Patience},
    check::{Failure, Outcome, done_or, equal, refused, require},
    harness::{Connection, Harness, Target},
    key_value::{self, entry_of, text, value_of},
    names,
    race::race,
};

/// Tasks of both processes together.
const TASKS: usize = 16;

/// How often each task writes at most, and for how long it begins anew: some backends are slow where writers meet.
const TURNS: usize = 100;
const LONG: Duration = Duration::from_secs(3);

/// What is asked for by [`two_processes!`](crate::two_processes).
pub const CASES: &[Case<Scope>] = &[
    Case::new("two_processes_see_each_others_writes", |scope| Box::pin(two_processes_see_each_others_writes(scope))),
    Case::new("increments_of_two_processes_lose_none", |scope| Box::pin(increments_of_two_processes_lose_none(scope))),
    Case::new("swaps_of_two_processes_lose_none", |scope| Box::pin(swaps_of_two_processes_lose_none(scope))),
    Case::new("an_entry_is_created_by_one_of_two_processes", |scope| {
        Box::pin(an_entry_is_created_by_one_of_two_processes(scope))
    }),
];

/// Buckets of one process, and the means to be another.
pub struct Scope {
    one: key_value::Scope,
    harness: Arc<dyn Harness>,
}

impl Scope {
    /// A bucket that nobody else uses, as each process sees it.
    async fn buckets(&self) -> Outcome<[Arc<dyn Bucket>; 2]> {
        let other = match self.harness.connect().await? {
            Connection::Ready(other) => other,
            Connection::Missing(what) => return Err(Failure::skipped(what)),
        };
        other.prepare(Capability::KeyValue).await?;
        let other = other.key_value().ok_or_else(|| Failure::new("expected a provider of key-value, found none"))?;
        let name = names::unique().as_str().into();
        Ok([self.one.open(&name).await?, other.open(&name).await?])
    }
}

impl case::Scope for Scope {
    const CAPABILITY: Option<Capability> = Some(Capability::KeyValue);

    fn new(target: &Target, patience: Patience) -> Option<Self> {
        Some(Self { one: case::Scope::new(target, patience)?, harness: target.harness.clone() })
    }

    async fn clean_up(&self) -> Outcome {
        self.one.clean_up().await
    }
}

/// The processes take turns.
fn of_one([one, other]: &[Arc<dyn Bucket>; 2], number: usize) -> Arc<dyn Bucket> {
    if number.is_multiple_of(2) { one.clone() } else { other.clone() }
}

async fn two_processes_see_each_others_writes(scope: &Scope) -> Outcome {
    let [one, other] = scope.buckets().await?;
    one.set("key", "1".into()).await?;
    let seen = entry_of(&*other, "key").await?;
    equal("the other's value", Some(seen.value), text("1"))?;
    other.swap("key", Some(&seen.version), "2".into()).await?;
    equal("the value swapped in by the other", value_of(&*one, "key").await?, text("2"))?;
    refused(
        "a swap of what the other has swapped",
        one.swap("key", Some(&seen.version), "3".into()).await,
        ErrorKind::Conflict,
    )?;
    other.delete("key").await?;
    equal("the value deleted by the other", value_of(&*one, "key").await?, None)
}

async fn increments_of_two_processes_lose_none(scope: &Scope) -> Outcome {
    let buckets = scope.buckets().await?;
    let increment = |bucket: Arc<dyn Bucket>| async move { bucket.increment("counter", 1).await.map(|_| true) };
    let counted = race(TASKS, |number| in_turns(of_one(&buckets, number), increment));
    let counted = sum(counted.await?)?;
    equal("the counter", buckets[0].increment("counter", 0).await?, counted)
}

async fn swaps_of_two_processes_lose_none(scope: &Scope) -> Outcome {
    let buckets = scope.buckets().await?;
    buckets[0].set("counter", "0".into()).await?;
    let counted = race(TASKS, |number| in_turns(of_one(&buckets, number), add_one));
    let counted = sum(counted.await?)?;
    equal("the counter", buckets[1].increment("counter", 0).await?, counted)
}

async fn an_entry_is_created_by_one_of_two_processes(scope: &Scope) -> Outcome {
    let buckets = scope.buckets().await?;
    let created = race(TASKS, |number| {
        let bucket = of_one(&buckets, number);
        async move { done_or("a creation", bucket.swap("key", None, number.to_string().into()).await, ErrorKind::Conflict) }
    });
    let created: Vec<bool> = created.await?.into_iter().collect::<Outcome<_>>()?;
    equal("how many have created it", created.into_iter().filter(|created| *created).count(), 1)
}

/// Writes in turns, and gives how many writes took effect.
async fn in_turns<Writing>(bucket: Arc<dyn Bucket>, write: impl Fn(Arc<dyn Bucket>) -> Writing) -> Outcome<i64>
where
    Writing: Future<Output = Result<bool>>,
{
    let (end, mut done) = (Instant::now() + LONG, 0);
    for _ in 0..TURNS {
        if Instant::now() >= end {
            break;
        }
        done += i64::from(write(bucket.clone()).await?);
    }
    Ok(done)
}

/// How many there were in all; with none nothing is shown.
fn sum(counted: Vec<Outcome<i64>>) -> Outcome<i64> {
    let all = counted.into_iter().sum::<Outcome<i64>>()?;
    require(all > 0, "expected writes that take effect, found none")?;
    Ok(all)
}

/// Reads a number and swaps it for the next; false when somebody was faster.
async fn add_one(bucket: Arc<dyn Bucket>) -> Result<bool> {
    let Some(entry) = bucket.get("counter").await? else { return Ok(false) };
    let Some(number) = parse_counter(&entry.value) else { return Err(Error::invalid("the counter is no number")) };
    match bucket.swap("counter", Some(&entry.version), (number + 1).to_string().into()).await {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::Conflict => Ok(false),
        Err(error) => Err(error),
    }
}
