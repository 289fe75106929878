use std::{collections::BTreeSet, sync::Arc};

use bytes::Bytes;
use parking_lot::Mutex;
use redb::{ReadTransaction, ReadableTable};
use slight_capabilities::Result;

use super::{clock::Clock, tables::Tables};
use crate::{errors::Failure, store::Store, wakes::Wakes, writer::Changes};

/// The messages of all groups in the tables, and the clock that they go by.
pub(super) struct Queues {
    pub(super) store: Arc<Store>,
    pub(super) tables: Arc<Tables>,
    pub(super) clock: Clock,
    /// The groups that this process uses, to be made again in another file.
    pub(super) groups: Arc<Mutex<BTreeSet<(String, String)>>>,
}

/// One topic's group.
#[derive(Clone)]
pub(super) struct Source {
    /// The number of the group. A group deleted and made again has another.
    pub(super) id: u64,
    /// The topic as the guest named it.
    pub(super) topic: Arc<str>,
    /// The topic as it is stored.
    pub(super) encoded: Arc<str>,
    pub(super) group: Arc<str>,
    /// The file that the number is of.
    pub(super) generation: u64,
}

impl Queues {
    pub(super) fn new(store: Arc<Store>, location: &str) -> Self {
        Self { store, tables: Arc::new(Tables::new(location)), clock: Clock::start(), groups: Arc::default() }
    }

    pub(super) fn wakes(&self) -> &Wakes {
        self.store.wakes()
    }

    pub(super) async fn write<T: Send + 'static>(
        &self,
        bytes: usize,
        change: impl FnOnce(&mut Changes<'_>, &Tables, Clock) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T> {
        let (tables, clock) = (self.tables.clone(), self.clock);
        self.store.write(bytes, move |changes| change(changes, &tables, clock)).await
    }

    /// Another number when another file has taken the place of the one before.
    pub(super) fn generation(&self) -> u64 {
        self.store.generation()
    }

    pub(super) async fn create_group(&self, topic: String, group: String) -> Result<u64> {
        let (tables, key) = (self.tables.clone(), (topic, group));
        self.groups.lock().insert(key.clone());
        let known = self.store.read({
            let key = key.clone();
            move |snapshot| Ok(snapshot.open_table(tables.groups())?.get((&*key.0, &*key.1))?.map(|id| id.value()))
        });
        if let Some(id) = known.await? {
            return Ok(id);
        }
        self.write(0, move |changes, tables, _| tables.group(changes, &key)).await
    }

    /// Puts a message in the line of every group of the topic.
    pub(super) async fn publish(&self, topic: String, body: Bytes) -> Result<()> {
        let tables = self.tables.clone();
        let reads = topic.clone();
        let groups = move |snapshot: &ReadTransaction| groups_of(&snapshot.open_table(tables.groups())?, &reads);
        if self.store.read(groups).await?.is_empty() {
            return Ok(());
        }
        self.write(body.len(), move |changes, tables, _| {
            let groups = groups_of(&changes.transaction.open_table(tables.groups())?, &topic)?;
            if groups.is_empty() {
                changes.nothing_changed();
                return Ok(());
            }
            let message = changes.number();
            changes.transaction.open_table(tables.bodies())?.insert(message, &*body)?;
            if let Ok(count @ 2..) = u32::try_from(groups.len()) {
                changes.transaction.open_table(tables.holders())?.insert(message, count)?;
            }
            let mut ready = changes.transaction.open_table(tables.ready())?;
            for group in groups {
                ready.insert((group, changes.number()), (message, 0))?;
                changes.wake(group);
            }
            Ok(())
        })
        .await
    }
}

fn groups_of(groups: &impl ReadableTable<(&'static str, &'static str), u64>, topic: &str) -> Result<Vec<u64>, Failure> {
    let mut found = Vec::new();
    for entry in groups.range::<(&str, &str)>((topic, "")..)? {
        let (key, id) = entry?;
        if key.value().0 != topic {
            break;
        }
        found.push(id.value());
    }
    Ok(found)
}
