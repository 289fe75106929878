//! Which groups there are, beside their queues: a blob for each in the container for messages. A queue that has gone while
//! its record is there was deleted by somebody else than us, and is made again.

use bytes::Bytes;
use slight_capabilities::{ErrorKind, Result, decode_name};

use super::{post::Post, queues};
use crate::{attempts::Lost, listing, location::Required};

/// What a record says of a group.
pub(super) enum Record {
    /// The group is there, and this is its encoded name.
    Group(String),
    /// Those who use the group have deleted it: the blob is empty.
    Deleted,
    /// The record is gone, or was never made.
    None,
}

/// The names of groups are at most so long, encoded.
const MAX_RECORD: u64 = 1024;

/// What the names of all records begin with. The blobs for large messages begin with the name of their queue, which has a
/// hyphen before the first slash.
const RECORDS: &str = "groups/";

impl Post {
    /// The queues that have records, of those whose names begin so; true for groups that were deleted.
    pub(super) async fn records(&self, prefix: &str) -> Result<Vec<(String, bool)>> {
        let sizes = listing::sizes(&self.location, &format!("{RECORDS}{prefix}")).await?;
        let queues =
            sizes.into_iter().filter_map(|(name, size)| Some((name.strip_prefix(RECORDS)?.to_owned(), size == 0)));
        Ok(queues.filter(|(queue, _)| queues::is_of_topic(prefix, queue)).collect())
    }

    pub(super) async fn recorded(&self, queue: &str) -> Result<Record> {
        let found = self.location.get(&format!("{RECORDS}{queue}"), MAX_RECORD, self.link.deadline()).await;
        Ok(match found {
            Err(error) if error.kind() == ErrorKind::TooLarge => Record::None,
            Err(error) => return Err(error),
            Ok(None) => Record::None,
            Ok(Some((content, _))) if content.is_empty() => Record::Deleted,
            Ok(Some((content, _))) => match String::from_utf8(content.into()) {
                Ok(encoded) if decode_name(&encoded).is_some() => Record::Group(encoded),
                // Somebody else has written over it.
                _ => Record::None,
            },
        })
    }

    pub(super) async fn record(&self, queue: &str, encoded: &str) -> Result<()> {
        self.write_record(queue, Bytes::copy_from_slice(encoded.as_bytes())).await
    }

    pub(super) async fn record_deletion(&self, queue: &str) -> Result<()> {
        self.write_record(queue, Bytes::new()).await
    }

    async fn write_record(&self, queue: &str, content: Bytes) -> Result<()> {
        let (blob, deadline) = (format!("{RECORDS}{queue}"), self.link.deadline());
        let written = self.location.put(&blob, content, Required::Anything, Lost::SendAgain, deadline).await;
        written.map_err(|failure| self.location.error(failure))
    }
}
