use std::sync::Arc;

use azure_core::Uuid;
use azure_storage_blob::{BlockBlobClient, models::BlockLookupList};
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, TryStreamExt, future::ready, stream};
use slight_capabilities::{ByteStream, Error, Result};

use crate::{
    attempts::Lost,
    location::{Location, Required},
};

/// The size of a block, and of an object that is written in one request.
const BLOCK: usize = 4 * 1024 * 1024;

/// How many blocks a blob has at most, by Azure's rules.
const MAX_BLOCKS: u32 = 50_000;

/// The largest object.
pub(crate) const MAX_OBJECT_BYTES: u64 = BLOCK as u64 * MAX_BLOCKS as u64;

/// How many blocks are under way at a time; one more is being gathered meanwhile.
const AT_ONCE: usize = 4;

/// Stores a stream as a blob: in one request if it is small, else block by block, and all of them at once at the end.
///
/// What was stored of a stream that fails is invisible, and Azure removes it after a week: it cannot be removed before.
pub(super) async fn write(location: &Arc<Location>, blob: &str, object: &str, body: ByteStream) -> Result<()> {
    let mut blocks = Blocks { body, begun: BytesMut::new(), ended: false };
    let first = blocks.next().await?.unwrap_or_default();
    if first.len() < BLOCK {
        let deadline = location.link.deadline();
        let stored = location.put(blob, first, Required::Anything, Lost::SendAgain, deadline).await;
        return stored.map_err(|failure| location.error(failure));
    }
    let upload = Arc::new(Upload {
        location: location.clone(),
        client: location.blob(blob).block_blob_client(),
        // Blocks of other uploads to the same blob have other names.
        id: Uuid::new_v4(),
        blob: blob.to_owned(),
        object: object.to_owned(),
    });
    let count = upload.stage(first, blocks).await?;
    upload.commit(count).await
}

struct Upload {
    location: Arc<Location>,
    client: BlockBlobClient,
    id: Uuid,
    blob: String,
    object: String,
}

impl Upload {
    /// Stores all blocks, and says how many there are.
    async fn stage(self: &Arc<Self>, first: Bytes, blocks: Blocks) -> Result<u32> {
        let rest = stream::try_unfold((blocks, 1), |(mut blocks, number)| async move {
            Ok(blocks.next().await?.map(|block| ((number, block), (blocks, number + 1))))
        });
        let staged = stream::once(ready(Ok((0, first)))).chain(rest).map_ok(|(number, block)| {
            let upload = self.clone();
            async move { upload.stage_one(number, block).await }
        });
        staged.try_buffer_unordered(AT_ONCE).try_fold(0, |count, ()| ready(Ok(count + 1))).await
    }

    async fn stage_one(&self, number: u32, block: Bytes) -> Result<()> {
        if number == MAX_BLOCKS {
            let what = format!("the object {:?}", self.object);
            return Err(Error::too_large(what, MAX_OBJECT_BYTES + block.len() as u64, MAX_OBJECT_BYTES));
        }
        let (name, length) = (self.name(number), block.len() as u64);
        let ask = || self.client.stage_block(&name, length, block.clone().into(), None);
        let staged = match self.location.ask(Lost::SendAgain, ask).await {
            Err(failure) if failure.is_of_another_type() => match self.location.remove(&self.blob).await {
                Ok(()) => self.location.ask(Lost::SendAgain, ask).await,
                Err(failure) => Err(failure),
            },
            staged => staged,
        };
        staged.map(drop).map_err(|failure| self.location.error(failure))
    }

    async fn commit(&self, count: u32) -> Result<()> {
        let names = (0..count).map(|number| self.name(number)).collect();
        let blocks = BlockLookupList { latest: Some(names), ..Default::default() };
        let ask = || async { self.client.commit_block_list(blocks.clone().try_into()?, None).await };
        let committed = self.location.ask(Lost::SendAgain, ask).await;
        committed.map(drop).map_err(|failure| match failure.code() {
            // Whoever commits first makes the blocks of all others vanish.
            "InvalidBlockList" | "InvalidBlobOrBlock" => {
                Error::conflict(format!("the object {:?} was written by somebody else at the same time", self.object))
            }
            _ => self.location.error(failure),
        })
    }

    /// All names have the same length, as Azure requires.
    fn name(&self, number: u32) -> Vec<u8> {
        [self.id.as_bytes().as_slice(), &number.to_be_bytes()].concat()
    }
}

/// A stream in pieces of one size.
struct Blocks {
    body: ByteStream,
    begun: BytesMut,
    ended: bool,
}

impl Blocks {
    /// The next block; only the last one is smaller than [`BLOCK`].
    async fn next(&mut self) -> Result<Option<Bytes>> {
        while self.begun.len() < BLOCK && !self.ended {
            match self.body.next().await.transpose()? {
                Some(chunk) => self.begun.extend_from_slice(&chunk),
                None => self.ended = true,
            }
        }
        let length = self.begun.len().min(BLOCK);
        Ok((length > 0).then(|| self.begun.split_to(length).freeze()))
    }
}
