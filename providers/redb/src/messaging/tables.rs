use std::ops::RangeInclusive;

use redb::{ReadableTable, TableDefinition, TableError, WriteTransaction};

use crate::{errors::Failure, writer::Changes};

/// The names of the tables of one location.
pub(super) struct Tables {
    groups: String,
    ready: String,
    waiting: String,
    bodies: String,
    holders: String,
    dropped: String,
}

/// Topic (encoded) and group to the group's number.
pub(super) type Groups = (&'static str, &'static str);
/// Group and place in the line.
pub(super) type Ready = (u64, u64);
/// Group, when due (milliseconds since 1970), and a number to tell apart what is due at one time.
pub(super) type Waiting = (u64, u64, u64);
/// The number of the message, and how many deliveries it had.
pub(super) type Queued = (u64, u32);
/// The same, and whether the message is leased until it is due; otherwise it waits for its retry. A lease is not counted
/// before the message was handed out.
pub(super) type Lease = (u64, u32, bool);

impl Tables {
    pub(super) fn new(location: &str) -> Self {
        let name = |part| format!("messaging/{location}/{part}");
        Self {
            groups: name("groups"),
            ready: name("ready"),
            waiting: name("waiting"),
            bodies: name("bodies"),
            holders: name("holders"),
            dropped: name("dropped"),
        }
    }

    pub(super) fn groups(&self) -> TableDefinition<'_, Groups, u64> {
        TableDefinition::new(&self.groups)
    }

    /// The messages that may be given out, in the order in which they will be.
    pub(super) fn ready(&self) -> TableDefinition<'_, Ready, Queued> {
        TableDefinition::new(&self.ready)
    }

    /// The messages that may be given out later.
    pub(super) fn waiting(&self) -> TableDefinition<'_, Waiting, Lease> {
        TableDefinition::new(&self.waiting)
    }

    /// The messages themselves, once for all groups.
    pub(super) fn bodies(&self) -> TableDefinition<'_, u64, &'static [u8]> {
        TableDefinition::new(&self.bodies)
    }

    /// How many groups have a message yet to ack, where that is more than one.
    pub(super) fn holders(&self) -> TableDefinition<'_, u64, u32> {
        TableDefinition::new(&self.holders)
    }

    /// The numbers of deleted groups whose messages are yet to be removed.
    pub(super) fn dropped(&self) -> TableDefinition<'_, u64, ()> {
        TableDefinition::new(&self.dropped)
    }

    /// The name of one that is there if all are.
    pub(super) fn first(&self) -> &str {
        &self.groups
    }

    /// Makes all of them, so that readers find them.
    pub(super) fn create(&self, transaction: &WriteTransaction) -> Result<(), TableError> {
        transaction.open_table(self.groups())?;
        transaction.open_table(self.ready())?;
        transaction.open_table(self.waiting())?;
        transaction.open_table(self.bodies())?;
        transaction.open_table(self.holders())?;
        transaction.open_table(self.dropped())?;
        Ok(())
    }

    /// The number of a group, which is made if it is missing.
    pub(super) fn group(&self, changes: &mut Changes<'_>, key: &(String, String)) -> Result<u64, Failure> {
        let (topic, group) = key;
        let mut groups = changes.transaction.open_table(self.groups())?;
        if let Some(id) = groups.get((&**topic, &**group))? {
            changes.nothing_changed();
            return Ok(id.value());
        }
        let id = changes.number();
        groups.insert((&**topic, &**group), id)?;
        Ok(id)
    }

    /// Removes one group's hold of each message, and those that no other group holds.
    pub(super) fn release(
        &self,
        transaction: &WriteTransaction,
        messages: impl IntoIterator<Item = u64>,
    ) -> Result<(), Failure> {
        let mut holders = transaction.open_table(self.holders())?;
        let mut bodies = transaction.open_table(self.bodies())?;
        for message in messages {
            let held = holders.get(message)?.map_or(1, |count| count.value());
            match held {
                0 | 1 => _ = bodies.remove(message)?,
                2 => _ = holders.remove(message)?,
                more => _ = holders.insert(message, more - 1)?,
            }
        }
        Ok(())
    }
}

/// The first entries of a range of what is ready, copied, so that the table may be changed.
pub(super) fn first_ready(
    table: &impl ReadableTable<Ready, Queued>,
    range: RangeInclusive<Ready>,
    limit: usize,
) -> Result<Vec<(Ready, Queued)>, Failure> {
    let entries = table.range(range)?.take(limit);
    entries.map(|entry| entry.map(|(key, value)| (key.value(), value.value())).map_err(Failure::from)).collect()
}

/// The first entries of a range of what is waiting, copied, so that the table may be changed.
pub(super) fn first_waiting(
    table: &impl ReadableTable<Waiting, Lease>,
    range: RangeInclusive<Waiting>,
    limit: usize,
) -> Result<Vec<(Waiting, Lease)>, Failure> {
    let entries = table.range(range)?.take(limit);
    entries.map(|entry| entry.map(|(key, value)| (key.value(), value.value())).map_err(Failure::from)).collect()
}
