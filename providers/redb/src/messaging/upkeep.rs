//! What makes the tables ready, and clears away what is left in them.

use std::collections::{BTreeMap, VecDeque};

use redb::ReadableTable;
use slight_capabilities::{MAX_RETRY, Readiness, Result};

use super::{
    clock::Clock,
    queues::Queues,
    tables::{Queued, Tables, Waiting, first_ready, first_waiting},
};
use crate::{errors::Failure, writer::Changes};

/// How many rows are changed by one write of a long task, so that others have their turn.
const CHUNK: usize = 1000;

impl Queues {
    /// Makes the tables, and takes up what a process left that ended: its leases are void, and what it had not done of
    /// deleting groups is done.
    pub(super) async fn prepare(&self, create: bool) -> Result<()> {
        let may_make = self.store.prepare(self.tables.first().to_owned(), create).await?;
        self.store.check_writable()?;
        if may_make {
            self.write(0, |changes, tables, _| Ok(tables.create(changes.transaction)?)).await?;
        }
        let (tables, groups, clock) = (self.tables.clone(), self.groups.clone(), self.clock);
        self.store.set_up(move |changes, replaced| {
            if may_make {
                tables.create(changes.transaction)?;
            }
            if !replaced {
                // The leases are those of this process.
                return Ok(());
            }
            groups.lock().iter().try_for_each(|key| tables.group(changes, key).map(|_| ()))?;
            let mut from = Some((0, 0, 0));
            while let Some(start) = from {
                from = void_leases(changes, &tables, clock, start)?;
            }
            Ok(())
        });
        let mut from = Some((0, 0, 0));
        while let Some(start) = from {
            from = self.write(0, move |changes, tables, clock| void_leases(changes, tables, clock, start)).await?;
        }
        self.purge().await
    }

    /// What [`Queues::prepare`] would make.
    pub(super) async fn inspect(&self, create: bool) -> Result<Readiness> {
        self.store.inspect(self.tables.first().to_owned(), create).await
    }

    pub(super) async fn delete_group(&self, topic: String, group: String) -> Result<()> {
        self.groups.lock().remove(&(topic.clone(), group.clone()));
        let deleted = self.write(0, move |changes, tables, _| {
            let mut groups = changes.transaction.open_table(tables.groups())?;
            let Some(id) = groups.remove((&*topic, &*group))?.map(|id| id.value()) else {
                changes.nothing_changed();
                return Ok(false);
            };
            changes.transaction.open_table(tables.dropped())?.insert(id, ())?;
            changes.wake(id);
            Ok(true)
        });
        if deleted.await? { self.purge().await } else { Ok(()) }
    }

    /// Removes the messages of deleted groups, a bounded number at a time.
    async fn purge(&self) -> Result<()> {
        while self.write(0, |changes, tables, _| purge_some(changes, tables)).await? {}
        Ok(())
    }
}

/// Puts the leased among the next waiting in line; gives where to go on. Their counts are those of the deliveries that
/// were handed out.
fn void_leases(
    changes: &mut Changes<'_>,
    tables: &Tables,
    clock: Clock,
    start: Waiting,
) -> Result<Option<Waiting>, Failure> {
    let mut ready = changes.transaction.open_table(tables.ready())?;
    let mut waiting = changes.transaction.open_table(tables.waiting())?;
    let latest = clock.after(MAX_RETRY);
    let found = first_waiting(&waiting, start..=(u64::MAX, u64::MAX, u64::MAX), CHUNK)?;
    let next =
        found.last().filter(|_| found.len() == CHUNK).map(|((group, due, number), _)| (*group, *due, number + 1));
    let mut leases: BTreeMap<u64, VecDeque<Queued>> = BTreeMap::new();
    for (key @ (group, due, _), (message, count, leased)) in found {
        if leased {
            waiting.remove(key)?;
            leases.entry(group).or_default().push_back((message, count));
        } else if due > latest {
            // The system's clock was set back since.
            waiting.remove(key)?;
            waiting.insert((group, latest, changes.number()), (message, count, false))?;
        }
    }
    for (group, mut leases) in leases {
        // The first was counted when it was fetched. The next is the first of the next fetch, and counted there: one that
        // ends every process is not passed over for ever.
        leases.rotate_left(1);
        let first = first_ready(&ready, (group, 0)..=(group, u64::MAX), 1)?.first().map(|((_, place), _)| *place);
        let mut ahead = first.and_then(|first| first.checked_sub(leases.len() as u64));
        let last = leases.pop_back();
        for lease in leases {
            let place = ahead.unwrap_or_else(|| changes.number());
            ahead = ahead.map(|place| place + 1);
            ready.insert((group, place), lease)?;
        }
        if let Some(last) = last {
            ready.insert((group, changes.number()), last)?;
        }
    }
    Ok(next)
}

/// Removes some messages of a deleted group; true if there may be more.
fn purge_some(changes: &mut Changes<'_>, tables: &Tables) -> Result<bool, Failure> {
    let mut dropped = changes.transaction.open_table(tables.dropped())?;
    let Some(id) = dropped.first()?.map(|(id, _)| id.value()) else {
        changes.nothing_changed();
        return Ok(false);
    };
    let mut ready = changes.transaction.open_table(tables.ready())?;
    let mut waiting = changes.transaction.open_table(tables.waiting())?;
    let mut messages = Vec::new();
    for (key, (message, _)) in first_ready(&ready, (id, 0)..=(id, u64::MAX), CHUNK)? {
        ready.remove(key)?;
        messages.push(message);
    }
    for (key, (message, ..)) in first_waiting(&waiting, (id, 0, 0)..=(id, u64::MAX, u64::MAX), CHUNK)? {
        waiting.remove(key)?;
        messages.push(message);
    }
    if messages.is_empty() {
        dropped.remove(id)?;
    }
    tables.release(changes.transaction, messages)?;
    Ok(true)
}
