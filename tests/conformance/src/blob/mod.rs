//! The cases of [`BlobStore`] and [`Container`].

pub(crate) mod body;
mod containers;
mod copy;
mod dropped;
mod names;
mod objects;
mod reading;
mod writing;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use slight_capabilities::{BlobStore, Capability, Container, QualifiedName};

use crate::{
    case::{self, Patience},
    check::{Failure, Outcome, require},
    harness::{Harness, Target},
    listing,
    names::unique,
};

crate::__blob_cases! { crate::table { Scope } }

/// The list of the cases, by the module that holds them, with the cases that those rest on, the deepest first; hands it on
/// to another macro.
#[doc(hidden)]
#[macro_export]
macro_rules! __blob_cases {
    ($with:path { $($args:tt)* }) => { $with! { $($args)*;
        containers (create_makes_an_empty_container) {
            create_makes_an_empty_container
            create_of_an_existing_container_is_already_exists
            get_of_a_missing_container_is_not_found
            get_sees_what_create_made
            exists_follows_create_and_delete
            delete_removes_the_objects
            delete_of_a_missing_container_succeeds
            two_containers_are_isolated
            a_prefix_isolates_containers
            container_names_may_hold_any_characters
            a_missing_existing_location_is_not_found
            an_existing_location_has_literal_names
            objects_never_create_containers
            info_tells_when_the_container_was_created
        }
        copy (create_makes_an_empty_container an_object_comes_back_byte_for_byte copy_makes_an_equal_object) {
            copy_makes_an_equal_object
            copy_of_a_missing_object_is_not_found
            copy_to_a_missing_container_is_not_found
            copy_of_an_object_onto_itself_changes_nothing
        }
        objects (create_makes_an_empty_container an_object_comes_back_byte_for_byte) {
            an_object_comes_back_byte_for_byte
            an_object_of_64_mib_streams_through
            object_names_may_hold_any_characters
            a_name_may_be_the_path_of_another
            write_overwrites
        }
        writing (create_makes_an_empty_container an_object_comes_back_byte_for_byte) {
            an_object_shows_only_when_its_stream_ended_well
            a_failed_stream_leaves_nothing_behind
            racing_writes_leave_one_whole_object
            a_stream_is_pulled_no_faster_than_it_is_stored
        }
        reading (create_makes_an_empty_container an_object_comes_back_byte_for_byte) {
            a_range_is_inclusive
            an_end_past_the_object_is_clamped
            a_start_past_the_end_is_empty
            the_size_is_that_of_the_range
            a_missing_object_is_not_found
            a_read_gives_one_version_whole
            stat_tells_size_and_time
        }
        dropped (create_makes_an_empty_container an_object_comes_back_byte_for_byte) {
            a_dropped_call_is_done_or_not_done
        }
        names (create_makes_an_empty_container an_object_comes_back_byte_for_byte every_object_is_listed_once) {
            an_empty_container_lists_as_one_empty_page
            every_object_is_listed_once
            clear_removes_every_object
            delete_removes_the_objects_named
            a_made_up_cursor_is_invalid
        }
    } };
}

/// Containers to try, and a record of them.
pub struct Scope {
    store: Arc<dyn BlobStore>,
    harness: Arc<dyn Harness>,
    patience: Patience,
    made: Mutex<Vec<QualifiedName>>,
    locations: Mutex<Vec<String>>,
}

impl Scope {
    /// Says that a case may make a container of this name.
    fn claim(&self, name: &QualifiedName) {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).push(name.clone());
    }

    async fn create(&self, name: &QualifiedName) -> Outcome<Arc<dyn Container>> {
        self.claim(name);
        Ok(self.store.create(name).await?)
    }

    /// A container that nobody else uses.
    async fn container(&self) -> Outcome<Arc<dyn Container>> {
        self.create(&new_name()).await
    }
}

impl case::Scope for Scope {
    const CAPABILITY: Option<Capability> = Some(Capability::Blob);

    fn new(target: &Target, patience: Patience) -> Option<Self> {
        Some(Self {
            store: target.provider.blob()?,
            harness: target.harness.clone(),
            patience,
            made: Mutex::default(),
            locations: Mutex::default(),
        })
    }

    async fn clean_up(&self) -> Outcome {
        let made = std::mem::take(&mut *self.made.lock().unwrap_or_else(PoisonError::into_inner));
        for container in made {
            self.store.delete(&container).await?;
        }
        let locations = std::mem::take(&mut *self.locations.lock().unwrap_or_else(PoisonError::into_inner));
        for location in locations {
            self.harness.remove_location(&location).await?;
        }
        Ok(())
    }
}

fn new_name() -> QualifiedName {
    unique().as_str().into()
}

async fn objects_of(container: &dyn Container) -> Outcome<Vec<String>> {
    listing::all(async |cursor| container.list(cursor.as_ref()).await).await
}

/// Requires that a time is now, as far as clocks agree.
#[track_caller]
fn is_now(what: &str, time: SystemTime) -> Outcome {
    let now = SystemTime::now();
    let apart = now.duration_since(time).or_else(|_| time.duration_since(now));
    let apart = apart.map_err(|error| Failure::new(format!("{what}: {error}")))?;
    let minute = Duration::from_secs(60);
    require(apart <= minute, format_args!("{what}: expected now, within a minute, found {apart:?} between"))
}
