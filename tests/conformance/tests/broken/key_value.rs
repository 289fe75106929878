use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use slight_capabilities::{
    Bucket, Cursor, Entry, Error, ErrorKind, KeyValue, Page, Provider, QualifiedName, Result, Version,
};
use slight_conformance::key_value::CASES;
use slight_provider_memory::Memory;

use crate::{Broken, every_fault_of_memory_is_found, joined};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    FoldsBucketNames,
    IgnoresPrefixes,
    JoinsPrefixes,
    RefusesOddBuckets,
    ForgetsOnOpen,
    WritesOnOpen,
    StoresText,
    TakesEmptyForMissing,
    TakesMissingForEmpty,
    KeepsTheFirstValue,
    KeepsTheDeleted,
    RefusesToDeleteNothing,
    RefusesOddKeys,
    FoldsKeys,
    RefusesHalfAMegabyte,
    CutsLargeValues,
    ListsLate,
    AddsAnEmptyPageAtTheEnd,
    RepeatsKeys,
    AddsAnEmptyPageAtTheStart,
    CountsPositions,
    TakesAnyCursor,
    CreatesTwice,
    ConflictsAlways,
    SwapsAnyVersion,
    SwapsTheDeleted,
    CreatesOverEmpty,
    SwapsInTwoSteps,
    RefusesToStartFromZero,
    AddsNoNegatives,
    CountsInBinary,
    TakesAnythingForZero,
    WrapsCounters,
    IncrementsInTwoSteps,
    SkipsWhatIsMissing,
    SetsOne,
    DeletesOne,
    RefusesEmptyBatches,
    WritesInTwoSteps,
}

use Fault::*;

const FAULTS: &[(Fault, &[&str])] = &[
    (FoldsBucketNames, &["two_buckets_are_isolated"]),
    (IgnoresPrefixes, &["a_prefix_isolates_buckets"]),
    (JoinsPrefixes, &["a_prefix_isolates_buckets"]),
    (RefusesOddBuckets, &["bucket_names_may_hold_any_characters"]),
    (ForgetsOnOpen, &["a_second_open_sees_the_writes_of_the_first"]),
    (WritesOnOpen, &["opening_makes_nothing_visible", "an_empty_bucket_lists_as_one_empty_page"]),
    (StoresText, &["a_value_comes_back_byte_for_byte"]),
    (TakesEmptyForMissing, &["an_empty_value_is_not_a_missing_one"]),
    (TakesMissingForEmpty, &["a_missing_key_reads_as_none", "delete_removes_the_entry"]),
    (KeepsTheFirstValue, &["set_overwrites"]),
    (KeepsTheDeleted, &["delete_removes_the_entry", "writes_are_read_at_once"]),
    (RefusesToDeleteNothing, &["delete_of_a_missing_key_succeeds", "delete_many_deletes_all"]),
    (RefusesOddKeys, &["keys_may_hold_any_characters"]),
    (FoldsKeys, &["keys_are_told_apart_exactly", "keys_may_hold_any_characters"]),
    (RefusesHalfAMegabyte, &["a_value_of_512_kib_is_kept"]),
    (CutsLargeValues, &["a_larger_value_is_kept_or_too_large"]),
    (ListsLate, &["writes_are_read_at_once"]),
    (AddsAnEmptyPageAtTheEnd, &["an_empty_bucket_lists_as_one_empty_page"]),
    (RepeatsKeys, &["every_key_is_listed_once"]),
    (AddsAnEmptyPageAtTheStart, &["no_page_is_empty_unless_it_is_the_last"]),
    (CountsPositions, &["keys_present_throughout_are_listed_while_others_are_deleted"]),
    (TakesAnyCursor, &["a_made_up_cursor_is_invalid"]),
    (CreatesTwice, &["swap_creates_an_absent_key_once", "racing_swaps_have_one_winner"]),
    (ConflictsAlways, &["swap_replaces_the_version_it_saw", "racing_swaps_have_one_winner"]),
    (
        SwapsAnyVersion,
        &["swap_with_an_old_version_is_a_conflict", "swap_on_a_deleted_key_is_a_conflict", "increments_and_swaps_mix"],
    ),
    (SwapsTheDeleted, &["swap_on_a_deleted_key_is_a_conflict"]),
    (CreatesOverEmpty, &["swap_tells_an_empty_value_from_an_absent_one"]),
    (SwapsInTwoSteps, &["racing_swaps_have_one_winner"]),
    (RefusesToStartFromZero, &["increment_starts_from_zero"]),
    (AddsNoNegatives, &["increment_adds_and_returns_the_sum"]),
    (CountsInBinary, &["a_counter_reads_as_decimal_text"]),
    (TakesAnythingForZero, &["increment_of_something_else_is_invalid"]),
    (WrapsCounters, &["increment_beyond_64_bits_is_an_error"]),
    (IncrementsInTwoSteps, &["racing_increments_lose_none"]),
    (SkipsWhatIsMissing, &["get_many_keeps_the_order_and_marks_what_is_missing"]),
    (SetsOne, &["set_many_sets_all"]),
    (DeletesOne, &["delete_many_deletes_all"]),
    (RefusesEmptyBatches, &["empty_batches_succeed"]),
    (WritesInTwoSteps, &["a_dropped_call_is_done_or_not_done"]),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_key_value_fault_is_found() {
    every_fault_of_memory_is_found(CASES, FAULTS, 32, |fault| {
        let memory = Memory::new();
        let inner = memory.key_value().unwrap();
        let faulty = Faulty { inner, fault, opened: AtomicU64::new(0) };
        Broken { key_value: Some(Arc::new(faulty)), memory, ..Broken::default() }
    })
    .await;
}

struct Faulty {
    inner: Arc<dyn KeyValue>,
    fault: Option<Fault>,
    opened: AtomicU64,
}

#[async_trait]
impl KeyValue for Faulty {
    async fn open(&self, name: &QualifiedName) -> Result<Arc<dyn Bucket>> {
        let mut name = name.clone();
        match self.fault {
            Some(FoldsBucketNames) => name.name = name.name.to_lowercase(),
            Some(IgnoresPrefixes) => name.prefix.clear(),
            Some(JoinsPrefixes) => name = joined(&name),
            Some(ForgetsOnOpen) => name.prefix = self.opened.fetch_add(1, Ordering::Relaxed).to_string(),
            Some(RefusesOddBuckets) if name.name.contains('\0') => return Err(Error::invalid("odd")),
            _ => {}
        }
        let inner = self.inner.open(&name).await?;
        if self.fault == Some(WritesOnOpen) {
            inner.set("marker", "1".into()).await?;
        }
        Ok(Arc::new(FaultyBucket { inner, fault: self.fault }))
    }
}

struct FaultyBucket {
    inner: Arc<dyn Bucket>,
    fault: Option<Fault>,
}

impl FaultyBucket {
    fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    fn key(&self, key: &str) -> Result<String> {
        match self.fault {
            Some(FoldsKeys) => Ok(key.to_lowercase()),
            Some(RefusesOddKeys) if key.contains('\0') => Err(Error::invalid("odd")),
            _ => Ok(key.to_owned()),
        }
    }

    async fn all_keys(&self) -> Result<Vec<String>> {
        let mut keys = Vec::new();
        let mut next = None;
        loop {
            let page = self.inner.keys(next.as_ref()).await?;
            keys.extend(page.items);
            next = page.next;
            if next.is_none() {
                keys.sort_unstable();
                return Ok(keys);
            }
        }
    }

    /// A listing whose cursors say how many keys came before.
    async fn keys_by_position(&self, cursor: Option<&Cursor>) -> Result<Page<String>> {
        const PAGE: usize = 100;
        let start = match cursor {
            None => 0,
            Some(cursor) => usize::from_be_bytes(cursor.payload(&["position"])?.try_into().unwrap()),
        };
        let keys = self.all_keys().await?;
        let end = (start + PAGE).min(keys.len());
        let items = keys.get(start..end).unwrap_or_default().to_vec();
        let next = (end < keys.len()).then(|| Cursor::new(&["position"], &end.to_be_bytes()));
        Ok(Page { items, next })
    }

    async fn version(&self, key: &str) -> Result<Option<Version>> {
        Ok(self.inner.get(key).await?.map(|entry| entry.version))
    }

    /// What is between two steps that should be one.
    async fn pause() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[async_trait]
impl Bucket for FaultyBucket {
    async fn get(&self, key: &str) -> Result<Option<Entry>> {
        let entry = self.inner.get(&self.key(key)?).await?;
        Ok(match self.fault {
            Some(TakesEmptyForMissing) => entry.filter(|entry| !entry.value.is_empty()),
            Some(TakesMissingForEmpty) => {
                Some(entry.unwrap_or(Entry { value: Bytes::new(), version: Version(Bytes::new()) }))
            }
            _ => entry,
        })
    }

    async fn set(&self, key: &str, mut value: Bytes) -> Result<()> {
        let key = self.key(key)?;
        match self.fault {
            Some(StoresText) => value = String::from_utf8_lossy(&value).into_owned().into(),
            Some(CutsLargeValues) => value.truncate(1024 * 1024),
            Some(KeepsTheFirstValue) if self.inner.exists(&key).await? => return Ok(()),
            Some(WritesInTwoSteps) => {
                self.inner.set(&key, value.slice(..value.len() / 2)).await?;
                Self::pause().await;
            }
            Some(RefusesHalfAMegabyte) if value.len() > 400_000 => return Err(Error::too_large("it", 1, 0)),
            _ => {}
        }
        self.inner.set(&key, value).await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        let key = self.key(key)?;
        match self.fault {
            Some(KeepsTheDeleted) => Ok(()),
            Some(RefusesToDeleteNothing) if !self.inner.exists(&key).await? => Err(Error::not_found("nothing")),
            _ => self.inner.delete(&key).await,
        }
    }

    async fn keys(&self, cursor: Option<&Cursor>) -> Result<Page<String>> {
        let made = |name: &str| Cursor::new(&[name], b"");
        match self.fault {
            Some(CountsPositions) => return self.keys_by_position(cursor).await,
            Some(AddsAnEmptyPageAtTheStart) if cursor.is_none() => {
                return Ok(Page { items: Vec::new(), next: Some(made("start")) });
            }
            Some(AddsAnEmptyPageAtTheStart) if cursor == Some(&made("start")) => return self.inner.keys(None).await,
            Some(AddsAnEmptyPageAtTheEnd) if cursor == Some(&made("end")) => {
                return Ok(Page { items: Vec::new(), next: None });
            }
            Some(ListsLate) => {
                // What was set last is not listed yet.
                let mut page = self.inner.keys(cursor).await?;
                page.items.pop();
                return Ok(page);
            }
            _ => {}
        }
        let mut page = match self.inner.keys(cursor).await {
            Err(_) if self.has(TakesAnyCursor) => self.inner.keys(None).await?,
            page => page?,
        };
        if self.has(AddsAnEmptyPageAtTheEnd) && page.next.is_none() {
            page.next = Some(made("end"));
        }
        if self.has(RepeatsKeys) {
            page.items.extend(page.items.last().cloned());
        }
        Ok(page)
    }

    async fn swap(&self, key: &str, mut expected: Option<&Version>, value: Bytes) -> Result<()> {
        let current = self.version(key).await?;
        match self.fault {
            Some(ConflictsAlways) => return Err(Error::conflict("always")),
            Some(CreatesTwice) if expected.is_none() => expected = current.as_ref(),
            Some(SwapsAnyVersion) if expected.is_some() => expected = current.as_ref(),
            Some(SwapsTheDeleted) if current.is_none() => expected = None,
            Some(CreatesOverEmpty) if expected.is_none() => {
                let empty = self.inner.get(key).await?.is_some_and(|entry| entry.value.is_empty());
                expected = current.as_ref().filter(|_| empty);
            }
            Some(SwapsInTwoSteps) if current.as_ref() == expected => {
                Self::pause().await;
                return self.inner.set(key, value).await;
            }
            _ => {}
        }
        self.inner.swap(key, expected, value).await
    }

    async fn increment(&self, key: &str, delta: i64) -> Result<i64> {
        let current = self.inner.get(key).await?.map(|entry| entry.value);
        let number = current.as_ref().and_then(|value| std::str::from_utf8(value).ok()?.parse::<i64>().ok());
        match self.fault {
            Some(RefusesToStartFromZero) if current.is_none() => Err(Error::invalid("no counter")),
            Some(AddsNoNegatives) => self.inner.increment(key, delta.max(0)).await,
            Some(CountsInBinary) => {
                self.inner.set(key, Bytes::copy_from_slice(&delta.to_be_bytes())).await?;
                Ok(delta)
            }
            Some(TakesAnythingForZero) if number.is_none() => {
                self.inner.set(key, delta.to_string().into()).await?;
                Ok(delta)
            }
            Some(WrapsCounters) => {
                let sum = number.unwrap_or(0).wrapping_add(delta);
                self.inner.set(key, sum.to_string().into()).await?;
                Ok(sum)
            }
            Some(IncrementsInTwoSteps) => {
                Self::pause().await;
                let sum = number.unwrap_or(0) + delta;
                self.inner.set(key, sum.to_string().into()).await?;
                Ok(sum)
            }
            _ => self.inner.increment(key, delta).await,
        }
    }

    async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Bytes>>> {
        if self.has(RefusesEmptyBatches) && keys.is_empty() {
            return Err(Error::new(ErrorKind::Other, "wrong number of arguments"));
        }
        let mut values = Vec::new();
        for key in keys {
            let entry = self.get(key).await?;
            if entry.is_some() || !self.has(SkipsWhatIsMissing) {
                values.push(entry.map(|entry| entry.value));
            }
        }
        Ok(values)
    }

    async fn set_many(&self, mut entries: Vec<(String, Bytes)>) -> Result<()> {
        if self.has(SetsOne) {
            entries.truncate(1);
        }
        for (key, value) in entries {
            self.set(&key, value).await?;
        }
        Ok(())
    }

    async fn delete_many(&self, keys: &[String]) -> Result<()> {
        let limit = if self.has(DeletesOne) { 1 } else { usize::MAX };
        for key in keys.iter().take(limit) {
            self.delete(key).await?;
        }
        Ok(())
    }
}
