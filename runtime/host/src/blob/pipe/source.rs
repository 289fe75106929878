use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use slight_capabilities::{ByteStream, Error, Result};
use tokio::task::JoinHandle;

use super::{Pipe, spool::Spool};

/// What a provider's write takes: first what was spooled, then what comes through the pipe.
pub(super) struct Source {
    pipe: Arc<Pipe>,
    spooled: Spooled,
}

enum Spooled {
    Nothing,
    /// The spool is storing its last batch.
    Ending(JoinHandle<Option<Spool>>),
    Rest(Spool),
}

impl Source {
    pub fn new(pipe: Arc<Pipe>, spooling: Option<JoinHandle<Option<Spool>>>) -> Self {
        Self { pipe, spooled: spooling.map_or(Spooled::Nothing, Spooled::Ending) }
    }

    pub fn into_stream(self) -> ByteStream {
        Box::pin(stream::unfold(Some(self), |source| async move {
            let mut source = source?;
            let item = source.next().await?;
            let rest = item.is_ok().then_some(source);
            Some((item, rest))
        }))
    }

    async fn next(&mut self) -> Option<Result<Bytes>> {
        while !matches!(self.spooled, Spooled::Nothing) {
            match self.next_spooled().await {
                Ok(None) => {}
                result => return result.transpose(),
            }
        }
        self.pipe.take().await.map(|result| result.map_err(Into::into))
    }

    async fn next_spooled(&mut self) -> Result<Option<Bytes>> {
        if let Some(failure) = self.pipe.failure() {
            return Err(failure.into());
        }
        match &mut self.spooled {
            Spooled::Nothing => Ok(None),
            Spooled::Ending(task) => {
                let lost = || Error::other("what was written before write-data is lost");
                let spool = task.await.map_err(|error| lost().with_source(error))?;
                let failed = || self.pipe.failure().map_or_else(lost, Into::into);
                self.spooled = Spooled::Rest(spool.ok_or_else(failed)?);
                Ok(None)
            }
            Spooled::Rest(spool) => {
                let bytes = spool.read().await?;
                if bytes.is_none() {
                    self.spooled = Spooled::Nothing;
                }
                self.pipe.moved();
                Ok(bytes)
            }
        }
    }
}
