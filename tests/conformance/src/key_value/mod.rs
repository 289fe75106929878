//! The cases of [`KeyValue`] and [`Bucket`].

mod batches;
mod buckets;
mod counters;
mod dropped;
mod entries;
mod keys;
mod many;
mod swap;

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use slight_capabilities::{Bucket, Capability, Entry, KeyValue, QualifiedName};

use crate::{
    case::{self, Case, Patience},
    check::{Failure, Outcome},
    harness::Target,
    listing, names,
};

crate::__key_value_cases! { crate::table { Scope } }

/// What takes a while on some backends, and is asked for by [`many_keys!`](crate::many_keys).
#[doc(hidden)]
pub const MANY_KEYS: &[Case<Scope>] = &[Case::new("a_hundred_thousand_keys_are_listed_completely", |scope| {
    Box::pin(many::a_hundred_thousand_keys_are_listed_completely(scope))
})];

/// The list of the cases, by the module that holds them, with the cases that those rest on, the deepest first; hands it on
/// to another macro.
#[doc(hidden)]
#[macro_export]
macro_rules! __key_value_cases {
    ($with:path { $($args:tt)* }) => { $with! { $($args)*;
        buckets (a_value_comes_back_byte_for_byte every_key_is_listed_once) {
            two_buckets_are_isolated
            a_prefix_isolates_buckets
            bucket_names_may_hold_any_characters
            a_second_open_sees_the_writes_of_the_first
            opening_makes_nothing_visible
        }
        entries (a_value_comes_back_byte_for_byte every_key_is_listed_once) {
            a_value_comes_back_byte_for_byte
            an_empty_value_is_not_a_missing_one
            a_missing_key_reads_as_none
            set_overwrites
            delete_removes_the_entry
            delete_of_a_missing_key_succeeds
            keys_may_hold_any_characters
            keys_are_told_apart_exactly
            a_value_of_512_kib_is_kept
            a_larger_value_is_kept_or_too_large
            writes_are_read_at_once
        }
        keys (a_value_comes_back_byte_for_byte every_key_is_listed_once) {
            an_empty_bucket_lists_as_one_empty_page
            every_key_is_listed_once
            no_page_is_empty_unless_it_is_the_last
            keys_present_throughout_are_listed_while_others_are_deleted
            a_made_up_cursor_is_invalid
        }
        swap (
            a_value_comes_back_byte_for_byte
            every_key_is_listed_once
            swap_creates_an_absent_key_once
            swap_replaces_the_version_it_saw
        ) {
            swap_creates_an_absent_key_once
            swap_replaces_the_version_it_saw
            swap_with_an_old_version_is_a_conflict
            swap_on_a_deleted_key_is_a_conflict
            swap_tells_an_empty_value_from_an_absent_one
            racing_swaps_have_one_winner
        }
        counters (a_value_comes_back_byte_for_byte every_key_is_listed_once increment_adds_and_returns_the_sum) {
            increment_starts_from_zero
            increment_adds_and_returns_the_sum
            a_counter_reads_as_decimal_text
            increment_of_something_else_is_invalid
            increment_beyond_64_bits_is_an_error
            racing_increments_lose_none
            increments_and_swaps_mix
        }
        dropped (a_value_comes_back_byte_for_byte every_key_is_listed_once) {
            a_dropped_call_is_done_or_not_done
        }
        batches (a_value_comes_back_byte_for_byte every_key_is_listed_once) {
            get_many_keeps_the_order_and_marks_what_is_missing
            set_many_sets_all
            delete_many_deletes_all
            empty_batches_succeed
        }
    } };
}

/// Buckets to try, and a record of them.
pub struct Scope {
    store: Arc<dyn KeyValue>,
    opened: Mutex<Vec<Arc<dyn Bucket>>>,
}

impl Scope {
    pub(crate) async fn open(&self, name: &QualifiedName) -> Outcome<Arc<dyn Bucket>> {
        let bucket = self.store.open(name).await?;
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).push(bucket.clone());
        Ok(bucket)
    }

    /// A bucket that nobody else uses.
    async fn bucket(&self) -> Outcome<Arc<dyn Bucket>> {
        self.open(&names::unique().as_str().into()).await
    }
}

impl case::Scope for Scope {
    const CAPABILITY: Option<Capability> = Some(Capability::KeyValue);

    fn new(target: &Target, _: Patience) -> Option<Self> {
        Some(Self { store: target.provider.key_value()?, opened: Mutex::default() })
    }

    async fn clean_up(&self) -> Outcome {
        let opened = std::mem::take(&mut *self.opened.lock().unwrap_or_else(PoisonError::into_inner));
        for bucket in opened {
            bucket.delete_many(&keys_of(&*bucket).await?).await?;
        }
        Ok(())
    }
}

async fn keys_of(bucket: &dyn Bucket) -> Outcome<Vec<String>> {
    listing::all(async |cursor| bucket.keys(cursor.as_ref()).await).await
}

pub(crate) async fn value_of(bucket: &dyn Bucket, key: &str) -> Outcome<Option<Bytes>> {
    Ok(bucket.get(key).await?.map(|entry| entry.value))
}

/// The entry of a key that was set before.
pub(crate) async fn entry_of(bucket: &dyn Bucket, key: &str) -> Outcome<Entry> {
    let entry = bucket.get(key).await?;
    entry.ok_or_else(|| Failure::new(format!("expected an entry {key:?}, found none")))
}

pub(crate) fn text(value: &'static str) -> Option<Bytes> {
    Some(Bytes::from_static(value.as_bytes()))
}
