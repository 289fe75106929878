//! The last number given out, for versions and messages: none is given out twice.

use redb::{Database, ReadableDatabase, TableDefinition, TableError, WriteTransaction};
use slight_capabilities::Result;

use crate::errors::Failure;

const NUMBERS: TableDefinition<&str, u64> = TableDefinition::new("slight");
const LAST: &str = "last-number";

pub(crate) fn last(db: &Database) -> Result<u64> {
    let read = || -> Result<u64, Failure> {
        let table = match db.begin_read()?.open_table(NUMBERS) {
            Err(TableError::TableDoesNotExist(_)) => return Ok(0),
            table => table?,
        };
        Ok(table.get(LAST)?.map_or(0, |number| number.value()))
    };
    Ok(read()?)
}

pub(crate) fn keep(transaction: &WriteTransaction, number: u64) -> Result<(), redb::Error> {
    transaction.open_table(NUMBERS)?.insert(LAST, number)?;
    Ok(())
}
