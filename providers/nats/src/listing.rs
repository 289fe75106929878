use std::collections::BTreeSet;

use async_nats::Message;
use slight_capabilities::{Cursor, Error, ErrorKind, Page, Result};

use crate::{
    pull::{Pulled, Reader, Stretch, place},
    stream::{Stored, Stream},
};

/// How many messages are looked at in one round trip.
const STEP: usize = 1000;

/// How the messages of a listing are read.
pub(crate) struct Listing<'a> {
    /// What cursors are good for.
    pub(crate) scope: &'a [&'a str],
    /// The subjects.
    pub(crate) filter: &'a str,
    /// Whether the headers tell all.
    pub(crate) headers_only: bool,
    /// What a message from a consumer lists, if anything.
    pub(crate) name: &'a (dyn Fn(&Message) -> Option<String> + Sync),
    /// The same of one from the stream's leader.
    pub(crate) name_of_stored: &'a (dyn Fn(&Stored) -> Option<String> + Sync),
}

/// One page of names: what messages from a sequence on list. The cursor is the next sequence.
///
/// A name that is written again moves to the end, so that one which is present throughout is seen at least once.
pub(crate) async fn page(stream: &Stream, listing: &Listing<'_>, cursor: Option<&Cursor>) -> Result<Page<String>> {
    let mut from = match cursor {
        None => 1,
        Some(cursor) => read_cursor(listing, cursor)?,
    };
    let mut names = BTreeSet::new();
    let stretch = Stretch { filter: listing.filter, from, headers_only: listing.headers_only };
    let mut reader = Reader::open(stream, stretch).await?;
    let mut pending = reader.pending;
    while pending > 0 && names.is_empty() {
        let before = from;
        match step(&mut reader, listing, &mut from, &mut pending, &mut names).await {
            Ok(()) if from == before => break,
            Ok(()) => {}
            // The client cannot read what comes next, and has given up the connection: the leader tells the next name in
            // another way. Where it cannot be reached either, it says so.
            Err(error) if error.kind() == ErrorKind::Unavailable => break,
            Err(error) => return Err(error),
        }
    }
    if pending == 0 || names.is_empty() {
        // A replica that the consumer is on may be behind: the leader has the last word.
        match last_word(stream, listing, from, &mut names).await? {
            Some(next) => from = next,
            None => return Ok(Page { items: names.into_iter().collect(), next: None }),
        }
    }
    Ok(Page { items: names.into_iter().collect(), next: Some(Cursor::new(listing.scope, &from.to_be_bytes())) })
}

/// Adds the names of some messages.
async fn step(
    reader: &mut Reader,
    listing: &Listing<'_>,
    from: &mut u64,
    pending: &mut u64,
    names: &mut BTreeSet<String>,
) -> Result<()> {
    reader.puller.ask(STEP, None).await?;
    while let Pulled::Message(message) = reader.puller.next().await? {
        let place = place(&message)?;
        (*from, *pending) = (place.sequence + 1, place.pending);
        names.extend((listing.name)(&message));
    }
    Ok(())
}

/// Adds the next name that the leader knows of; gives where to go on, or nothing at the end.
async fn last_word(
    stream: &Stream,
    listing: &Listing<'_>,
    mut from: u64,
    names: &mut BTreeSet<String>,
) -> Result<Option<u64>> {
    while let Some(stored) = stream.next(from, listing.filter).await? {
        from = stored.sequence + 1;
        if let Some(name) = (listing.name_of_stored)(&stored) {
            names.insert(name);
            return Ok(Some(from));
        }
    }
    Ok(None)
}

fn read_cursor(listing: &Listing<'_>, cursor: &Cursor) -> Result<u64> {
    let payload = cursor.payload(listing.scope)?;
    let bytes = payload.try_into().map_err(|_| Error::invalid("the cursor was not made by this listing"))?;
    Ok(u64::from_be_bytes(bytes))
}
