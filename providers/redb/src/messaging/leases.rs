use std::time::Duration;

use bytes::Bytes;
use redb::{ReadTransaction, ReadableTable};
use slight_capabilities::{Outcome, Result, retry_wait};

use super::{
    queues::{Queues, Source},
    tables::{Waiting, first_ready, first_waiting},
};

/// How many messages that have become due are put in line with each fetch.
const COLLECT: usize = 64;

/// A message fetched. Whoever finds its ticket among the waiting has the lease.
pub(super) struct Fetched {
    pub(super) ticket: Waiting,
    pub(super) message: u64,
    /// With this delivery.
    pub(super) count: u32,
    /// Whether this delivery is in the count that is stored.
    pub(super) counted: bool,
}

/// What a look at a group finds.
pub(super) enum Look {
    /// There is something to fetch.
    Some,
    /// Nothing yet; something may be due after that long.
    None(Option<Duration>),
    /// The group was deleted.
    Gone,
}

impl Queues {
    /// Looks at groups, in turn, up to the first that has something; gives what was found last and where.
    pub(super) async fn look(&self, sources: Vec<Source>) -> Result<Vec<Look>> {
        let (tables, now) = (self.tables.clone(), self.clock.now());
        self.store
            .read(move |snapshot| {
                let (groups, ready) = (snapshot.open_table(tables.groups())?, snapshot.open_table(tables.ready())?);
                let waiting = snapshot.open_table(tables.waiting())?;
                let mut looks = Vec::with_capacity(sources.len());
                for Source { id, encoded, group, .. } in &sources {
                    let current = groups.get((&**encoded, &**group))?.map(|id| id.value());
                    let look = if current != Some(*id) {
                        Look::Gone
                    } else if !first_ready(&ready, (*id, 0)..=(*id, u64::MAX), 1)?.is_empty() {
                        Look::Some
                    } else {
                        match first_waiting(&waiting, (*id, 0, 0)..=(*id, u64::MAX, u64::MAX), 1)?.first() {
                            Some(((_, due, _), _)) if *due <= now => Look::Some,
                            Some(((_, due, _), _)) => Look::None(Some(Duration::from_millis(due - now))),
                            None => Look::None(None),
                        }
                    };
                    looks.push(look);
                }
                Ok(looks)
            })
            .await
    }

    /// Leases the first messages of a group, `limit` of them if there are so many. Only the first is counted as delivered.
    pub(super) async fn fetch(&self, source: Source, limit: usize, visibility: Duration) -> Result<Vec<Fetched>> {
        self.write(0, move |changes, tables, clock| {
            let Source { id, encoded, group, .. } = source;
            let current =
                changes.transaction.open_table(tables.groups())?.get((&*encoded, &*group))?.map(|id| id.value());
            if current != Some(id) {
                changes.nothing_changed();
                return Ok(Vec::new());
            }
            let mut ready = changes.transaction.open_table(tables.ready())?;
            let mut waiting = changes.transaction.open_table(tables.waiting())?;
            // At the end of the line: one message that fails again and again does not keep the others waiting.
            for (key, (message, count, _)) in
                first_waiting(&waiting, (id, 0, 0)..=(id, clock.now(), u64::MAX), COLLECT)?
            {
                waiting.remove(key)?;
                ready.insert((id, changes.number()), (message, count))?;
            }
            let mut fetched = Vec::new();
            let due = clock.after(visibility);
            for (key, (message, count)) in first_ready(&ready, (id, 0)..=(id, u64::MAX), limit)? {
                let (ticket, next, counted) =
                    ((id, due, changes.number()), count.saturating_add(1), fetched.is_empty());
                ready.remove(key)?;
                waiting.insert(ticket, (message, if counted { next } else { count }, true))?;
                fetched.push(Fetched { ticket, message, count: next, counted });
            }
            // Members sleep until what was due first when they looked.
            let first = first_waiting(&waiting, (id, 0, 0)..=(id, u64::MAX, u64::MAX), 1)?;
            if first.first().is_some_and(|(key, _)| fetched.iter().any(|fetched| fetched.ticket == *key)) {
                changes.wake(id);
            }
            Ok(fetched)
        })
        .await
    }

    /// Counts a message as delivered that is being handed out. It is written before anything that is asked for later, and
    /// nobody waits for it.
    pub(super) async fn count(&self, ticket: Waiting) -> Result<()> {
        let tables = self.tables.clone();
        self.store
            .post(move |changes| {
                let mut waiting = changes.transaction.open_table(tables.waiting())?;
                let Some((message, count, leased)) = waiting.get(ticket)?.map(|lease| lease.value()) else {
                    changes.nothing_changed();
                    return Ok(());
                };
                waiting.insert(ticket, (message, count.saturating_add(1), leased))?;
                Ok(())
            })
            .await
    }

    /// The stored form of a message; `None` when it was acked meanwhile.
    pub(super) async fn body(&self, message: u64) -> Result<Option<Bytes>> {
        let tables = self.tables.clone();
        let read = move |snapshot: &ReadTransaction| {
            let body = snapshot.open_table(tables.bodies())?.get(message)?;
            Ok(body.map(|body| Bytes::copy_from_slice(body.value())))
        };
        self.store.read(read).await
    }

    /// Begins a lease anew; `None` when it was lost.
    pub(super) async fn extend(&self, ticket: Waiting, visibility: Duration) -> Result<Option<Waiting>> {
        self.write(0, move |changes, tables, clock| {
            let mut waiting = changes.transaction.open_table(tables.waiting())?;
            let Some(lease) = waiting.remove(ticket)?.map(|lease| lease.value()) else {
                changes.nothing_changed();
                return Ok(None);
            };
            let anew = (ticket.0, clock.after(visibility), changes.number());
            waiting.insert(anew, lease)?;
            Ok(Some(anew))
        })
        .await
    }

    /// Ends a lease; false when it was lost.
    pub(super) async fn settle(&self, ticket: Waiting, outcome: Outcome) -> Result<bool> {
        self.write(0, move |changes, tables, clock| {
            let mut waiting = changes.transaction.open_table(tables.waiting())?;
            let Some((message, count, _)) = waiting.remove(ticket)?.map(|lease| lease.value()) else {
                changes.nothing_changed();
                return Ok(false);
            };
            let group = ticket.0;
            match outcome {
                Outcome::Ack => tables.release(changes.transaction, [message])?,
                Outcome::Release | Outcome::Retry { after: Duration::ZERO } => {
                    let count = if outcome == Outcome::Release { count.saturating_sub(1) } else { count };
                    let place = (group, changes.number());
                    changes.transaction.open_table(tables.ready())?.insert(place, (message, count))?;
                    changes.wake(group);
                }
                Outcome::Retry { after } => {
                    let due = (group, clock.after(retry_wait(after)), changes.number());
                    waiting.insert(due, (message, count, false))?;
                    changes.wake(group);
                }
            }
            Ok(true)
        })
        .await
    }

    /// Gives back messages that nobody has seen. Where there is no room to ask for it, their leases end in time.
    pub(super) fn give_back(&self, fetched: Vec<Fetched>) {
        let tables = self.tables.clone();
        self.store.write_if_idle(move |changes| {
            let mut ready = changes.transaction.open_table(tables.ready())?;
            let mut waiting = changes.transaction.open_table(tables.waiting())?;
            for Fetched { ticket, message, count, .. } in fetched {
                if waiting.remove(ticket)?.is_some() {
                    ready.insert((ticket.0, changes.number()), (message, count.saturating_sub(1)))?;
                    changes.wake(ticket.0);
                }
            }
            Ok(())
        });
    }
}
