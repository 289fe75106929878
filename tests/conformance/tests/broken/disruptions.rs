//! The harness of disruptions sees what a provider loses, and when it is not whole again.

use std::{fs, sync::Arc};

use slight_capabilities::{BlobStore, Capability, KeyValue, Messaging, Provider};
use slight_conformance::{
    Failure,
    disruption::{Disruption, Stage, Starting, check},
};
use slight_provider_memory::Memory;

struct Backend {
    key_value: Arc<dyn KeyValue>,
    blob: Arc<dyn BlobStore>,
    messaging: Arc<dyn Messaging>,
}

fn stage() -> Starting<Backend> {
    Box::pin(async {
        let memory = Memory::new();
        let (key_value, blob) = (memory.key_value().unwrap(), memory.blob().unwrap());
        let backend = Backend { key_value, blob, messaging: memory.messaging().unwrap() };
        Ok(Stage { provider: Arc::new(memory), backend })
    })
}

const NOTHING: Disruption<Backend> = Disruption::new("an object", "nothing", |_, _| Box::pin(async { Ok(()) }));

const EMPTIED: Disruption<Backend> = Disruption::new("bucket", "emptied", |backend, names| {
    Box::pin(async {
        let bucket = backend.key_value.open(&names.name).await.unwrap();
        let keys = bucket.keys(None).await.unwrap().items;
        bucket.delete_many(&keys).await.map_err(|error| error.to_string())
    })
});

const REMOVED: Disruption<Backend> = Disruption::new("container", "removed", |backend, names| {
    Box::pin(async { backend.blob.delete(&names.name).await.map_err(|error| error.to_string()) })
});

const NEIGHBOUR_REMOVED: Disruption<Backend> = Disruption::new("container", "removed beside", |backend, names| {
    Box::pin(async { backend.blob.delete(&names.neighbour).await.map_err(|error| error.to_string()) })
});

const DELETED: Disruption<Backend> = Disruption::new("group", "deleted", |backend, names| {
    Box::pin(async {
        let deleted = backend.messaging.delete_group(&names.name, &names.waiting_group).await;
        deleted.map_err(|error| error.to_string())
    })
});

fn tried(capability: Capability, said: &str, table: &'static [Disruption<Backend>]) -> Result<(), Failure> {
    let directory = tempfile::tempdir().unwrap();
    let page = directory.path().join("page.md");
    let text = format!(
        "# A page\n<!-- disruptions of {capability} -->\n| head |\n| --- |\n{said}<!-- end of disruptions of \
         {capability} -->\n"
    );
    fs::write(&page, text).unwrap();
    check(capability, &page, stage, table)
}

#[track_caller]
fn fails(capability: Capability, table: &'static [Disruption<Backend>], why: &str) {
    let failure = tried(capability, "", table).unwrap_err().to_string();
    assert!(failure.contains(why), "{failure}");
}

#[test]
fn where_nothing_happens_nothing_is_lost() {
    for capability in Capability::ALL {
        tried(capability, "| an object | nothing | nothing | 0 of 5; 0 of 5 | nothing | at once |\n", &[NOTHING])
            .unwrap();
    }
}

#[test]
fn a_page_without_the_row_is_wrong() {
    fails(Capability::KeyValue, &[NOTHING], "it lacks");
}

#[test]
fn what_is_lost_is_seen() {
    fails(Capability::KeyValue, &[EMPTIED], "found 20 of them gone");
    fails(Capability::Blob, &[REMOVED], "found 5 of them gone");
    fails(Capability::Blob, const { &[NEIGHBOUR_REMOVED.loses_what_it_held()] }, "the neighbour's object");
    let said = "| container | removed | what it held | 5 of 5; 5 of 5 | not found | at once |\n";
    tried(Capability::Blob, said, const { &[REMOVED.loses_what_it_held()] }).unwrap();
}

#[test]
fn a_group_that_stays_away_is_seen() {
    fails(Capability::Messaging, const { &[DELETED.loses_what_it_held()] }, "the group without a member");
}
