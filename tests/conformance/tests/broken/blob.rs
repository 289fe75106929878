mod container;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use bytes::Bytes;
use slight_capabilities::{BlobStore, Container, Error, ErrorKind, ObjectId, Provider, QualifiedName, Result};
use slight_conformance::blob::CASES;
use slight_provider_memory::Memory;

use self::container::FaultyContainer;
use crate::{Broken, every_fault_of_memory_is_found, joined};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    WritesOnCreate,
    CreatesTwice,
    GetsTheMissing,
    GetsAnother,
    ExistsAlways,
    KeepsTheDeleted,
    RefusesToDeleteNothing,
    FoldsContainerNames,
    IgnoresPrefixes,
    JoinsPrefixes,
    RefusesOddContainers,
    OpensAnyLocation,
    EncodesLocations,
    CreatesForObjects,
    CopiesByMoving,
    CopiesNothing,
    CopiesIntoAnew,
    EmptiesOnSelfCopy,
    CutsTheEnd,
    LosesAChunk,
    RefusesOddObjects,
    HasDirectories,
    Appends,
    ShowsEarly,
    KeepsPartial,
    MixesWriters,
    PullsAhead,
    ExcludesTheEnd,
    RefusesEndsPast,
    RefusesStartsPast,
    TellsTheWholeSize,
    ReadsTheMissing,
    ReadsAnew,
    TellsNoTime,
    RefreshesTheCreation,
    AddsAnEmptyPage,
    RepeatsNames,
    ClearsOnePage,
    DeletesOne,
    TakesAnyCursor,
    CopiesInTwoSteps,
}

use Fault::*;

const FAULTS: &[(Fault, &[&str])] = &[
    (WritesOnCreate, &["create_makes_an_empty_container", "an_empty_container_lists_as_one_empty_page"]),
    (CreatesTwice, &["create_of_an_existing_container_is_already_exists"]),
    (GetsTheMissing, &["get_of_a_missing_container_is_not_found", "objects_never_create_containers"]),
    (GetsAnother, &["get_sees_what_create_made"]),
    (ExistsAlways, &["exists_follows_create_and_delete"]),
    (KeepsTheDeleted, &["delete_removes_the_objects"]),
    (RefusesToDeleteNothing, &["delete_of_a_missing_container_succeeds"]),
    (FoldsContainerNames, &["two_containers_are_isolated"]),
    (IgnoresPrefixes, &["a_prefix_isolates_containers"]),
    (JoinsPrefixes, &["a_prefix_isolates_containers"]),
    (RefusesOddContainers, &["container_names_may_hold_any_characters"]),
    (OpensAnyLocation, &["a_missing_existing_location_is_not_found"]),
    (EncodesLocations, &["an_existing_location_has_literal_names"]),
    (CreatesForObjects, &["objects_never_create_containers"]),
    (CopiesByMoving, &["copy_makes_an_equal_object"]),
    (CopiesNothing, &["copy_of_a_missing_object_is_not_found", "copy_of_an_object_onto_itself_changes_nothing"]),
    (CopiesIntoAnew, &["copy_to_a_missing_container_is_not_found"]),
    (EmptiesOnSelfCopy, &["copy_of_an_object_onto_itself_changes_nothing"]),
    (CutsTheEnd, &["an_object_comes_back_byte_for_byte"]),
    (LosesAChunk, &["an_object_of_64_mib_streams_through"]),
    (RefusesOddObjects, &["object_names_may_hold_any_characters"]),
    (HasDirectories, &["a_name_may_be_the_path_of_another"]),
    (Appends, &["write_overwrites"]),
    (ShowsEarly, &["an_object_shows_only_when_its_stream_ended_well"]),
    (KeepsPartial, &["a_failed_stream_leaves_nothing_behind"]),
    (MixesWriters, &["racing_writes_leave_one_whole_object"]),
    (PullsAhead, &["a_stream_is_pulled_no_faster_than_it_is_stored"]),
    (ExcludesTheEnd, &["a_range_is_inclusive"]),
    (RefusesEndsPast, &["an_end_past_the_object_is_clamped"]),
    (RefusesStartsPast, &["a_start_past_the_end_is_empty"]),
    (TellsTheWholeSize, &["the_size_is_that_of_the_range"]),
    (ReadsTheMissing, &["a_missing_object_is_not_found"]),
    (ReadsAnew, &["a_read_gives_one_version_whole"]),
    (TellsNoTime, &["stat_tells_size_and_time", "create_makes_an_empty_container"]),
    (RefreshesTheCreation, &["info_tells_when_the_container_was_created"]),
    (AddsAnEmptyPage, &["an_empty_container_lists_as_one_empty_page", "every_object_is_listed_once"]),
    (RepeatsNames, &["every_object_is_listed_once"]),
    (ClearsOnePage, &["clear_removes_every_object"]),
    (DeletesOne, &["delete_removes_the_objects_named"]),
    (TakesAnyCursor, &["a_made_up_cursor_is_invalid"]),
    (CopiesInTwoSteps, &["a_dropped_call_is_done_or_not_done"]),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_blob_fault_is_found() {
    // Few at once, since some hold tens of megabytes.
    every_fault_of_memory_is_found(CASES, FAULTS, 4, |fault| {
        let memory = Memory::new();
        let faulty = Faulty { inner: memory.blob().unwrap(), fault, shared: Arc::default() };
        Broken { blob: Some(Arc::new(faulty)), memory, ..Broken::default() }
    })
    .await;
}

/// The chunks of all writers of an object, by their place.
type SharedChunks = Arc<Mutex<HashMap<String, Vec<Bytes>>>>;

struct Faulty {
    inner: Arc<dyn BlobStore>,
    fault: Option<Fault>,
    shared: SharedChunks,
}

impl Faulty {
    fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    fn name(&self, name: &QualifiedName) -> Result<QualifiedName> {
        let mut name = name.clone();
        match self.fault {
            Some(FoldsContainerNames) => name.name = name.name.to_lowercase(),
            Some(IgnoresPrefixes) => name.prefix.clear(),
            Some(JoinsPrefixes) => name = joined(&name),
            Some(RefusesOddContainers) if name.name.contains('\0') => return Err(Error::invalid("odd")),
            _ => {}
        }
        Ok(name)
    }

    fn around(&self, inner: Arc<dyn Container>, name: QualifiedName) -> Arc<dyn Container> {
        let (store, shared) = (self.inner.clone(), self.shared.clone());
        Arc::new(FaultyContainer { inner, fault: self.fault, store, name, shared })
    }
}

#[async_trait]
impl BlobStore for Faulty {
    async fn create(&self, name: &QualifiedName) -> Result<Arc<dyn Container>> {
        let name = self.name(name)?;
        let created = match self.inner.create(&name).await {
            Err(_) if self.has(CreatesTwice) || self.has(KeepsTheDeleted) => self.inner.get(&name).await?,
            created => created?,
        };
        if self.has(WritesOnCreate) {
            container::store(&*created, ".marker", Bytes::new()).await?;
        }
        Ok(self.around(created, name))
    }

    async fn get(&self, name: &QualifiedName) -> Result<Arc<dyn Container>> {
        let mut name = self.name(name)?;
        if self.has(GetsAnother) {
            name.name.push_str(" (another)");
        }
        let got = match self.inner.get(&name).await {
            Err(_) if self.has(GetsTheMissing) || self.has(GetsAnother) => self.inner.create(&name).await?,
            got => got?,
        };
        Ok(self.around(got, name))
    }

    async fn existing(&self, location: &str) -> Result<Arc<dyn Container>> {
        let opened = match self.inner.existing(location).await {
            Err(_) if self.has(OpensAnyLocation) => self.inner.create(&location.into()).await?,
            opened => opened?,
        };
        Ok(self.around(opened, QualifiedName::new("location", location)))
    }

    async fn delete(&self, name: &QualifiedName) -> Result<()> {
        let name = self.name(name)?;
        match self.fault {
            Some(KeepsTheDeleted) => Ok(()),
            Some(RefusesToDeleteNothing) if !self.inner.exists(&name).await? => Err(Error::not_found("nothing")),
            _ => self.inner.delete(&name).await,
        }
    }

    async fn exists(&self, name: &QualifiedName) -> Result<bool> {
        Ok(self.has(ExistsAlways) || self.inner.exists(&self.name(name)?).await?)
    }

    async fn copy(&self, source: &ObjectId, destination: &ObjectId) -> Result<()> {
        match self.fault {
            Some(CopiesInTwoSteps) => {
                let container = self.inner.get(&destination.container).await?;
                container::store(&*container, &destination.object, "half").await?;
                tokio::task::yield_now().await;
            }
            Some(CopiesIntoAnew) => _ = self.inner.create(&destination.container).await,
            Some(EmptiesOnSelfCopy) if source == destination => {
                let container = self.inner.get(&source.container).await?;
                return container::store(&*container, &source.object, Bytes::new()).await;
            }
            _ => {}
        }
        match self.inner.copy(source, destination).await {
            Err(error) if self.has(CopiesNothing) && error.kind() == ErrorKind::NotFound => Ok(()),
            Ok(()) if self.has(CopiesByMoving) => {
                self.inner.get(&source.container).await?.delete(std::slice::from_ref(&source.object)).await
            }
            copied => copied,
        }
    }
}
