use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use slight_capabilities::{Error, Result, check_key};
use wasmtime::component::Resource;
use wasmtime_wasi::p2::{DynOutputStream, OutputStream, Pollable, StreamError, StreamResult};

use super::{
    Answer, Container,
    bindings::types::{Host, HostOutgoingValue},
    pipe::{Pipe, Stopped},
    sentence,
    writes::Write,
};
use crate::{
    Limits,
    held::Disk,
    state::{Shared, State},
};

/// The most that the guest may write at once: the host allocates as much for `write-zeroes`.
const MAX_WRITE: usize = 64 * 1024;

/// An object that the guest is writing.
///
/// `write-data` says where it goes, before or after the body is written; `finish` stores it. Dropped before that, it
/// leaves nothing behind.
///
/// The standard wants the stream dropped before `finish`. Guests that keep it are served: `finish` takes what was
/// written until then, and the stream is closed.
pub struct OutgoingValue {
    pipe: Arc<Pipe>,
    has_body: bool,
}

impl Drop for OutgoingValue {
    fn drop(&mut self) {
        // Does nothing to one that is stored by now.
        self.pipe.abandon();
    }
}

impl OutgoingValue {
    pub(super) fn new(limits: &Limits, disk: Disk) -> Self {
        Self { pipe: Pipe::new(limits, disk), has_body: false }
    }

    /// The bytes of its body that may be in memory.
    pub(crate) fn size(&self) -> usize {
        if self.has_body { self.pipe.capacity() } else { 0 }
    }

    pub(super) fn pipe(&self) -> &Arc<Pipe> {
        &self.pipe
    }

    /// Starts the provider's write; the body follows as it is written.
    pub(super) async fn write_to(&self, shared: &Shared, container: Container, object: String) -> Result<()> {
        shared.check_container_write(container.access, &container.name)?;
        check_key("object name", &object)?;
        let slot = shared.writes.slot(shared.limits.backend_timeout).await?;
        let body = self.pipe.bind(container.describe(&object)).map_err(|error| container.about(&object, error))?;
        shared.writes.start(slot, Write { container, object, pipe: self.pipe.clone(), body });
        Ok(())
    }

    pub(super) async fn finish(self) -> Result<()> {
        if self.pipe.is_bound() {
            return self.pipe.finish().await;
        }
        let unbound = || Error::invalid("the outgoing-value has no target: call container.write-data before finish");
        Err(self.pipe.failure().map_or_else(unbound, Into::into))
    }
}

impl Host for State {}

impl HostOutgoingValue for State {
    async fn new_outgoing_value(&mut self) -> wasmtime::Result<Resource<OutgoingValue>> {
        let value = OutgoingValue::new(&self.shared.limits, self.disk.clone());
        // There is no error to return it as.
        self.push(value).map_err(|error| wasmtime::Error::msg(sentence(error)))
    }

    async fn outgoing_value_write_body(
        &mut self,
        value: Resource<OutgoingValue>,
    ) -> wasmtime::Result<Result<Resource<DynOutputStream>, ()>> {
        let value = self.table.get_mut(&value)?;
        if std::mem::replace(&mut value.has_body, true) {
            return Ok(Err(()));
        }
        let (size, body) = (value.size(), Body { pipe: value.pipe.clone(), failed: false });
        let body: DynOutputStream = Box::new(body);
        // The guest learns no more than that; the log says why.
        let pushed = self.check_held(size).and_then(|()| self.push(body));
        Ok(pushed.map_err(|error| tracing::debug!("outgoing-value-write-body: {error}")))
    }

    async fn finish(&mut self, this: Resource<OutgoingValue>) -> Answer<()> {
        Ok(self.table.delete(this)?.finish().await.map_err(sentence))
    }

    async fn drop(&mut self, value: Resource<OutgoingValue>) -> wasmtime::Result<()> {
        self.table.delete(value)?;
        Ok(())
    }
}

/// The guest's end of the pipe.
///
/// `flush` has nothing to do: the bytes go on by themselves, and only `finish` can tell that they are stored.
struct Body {
    pipe: Arc<Pipe>,
    /// The guest was told; from then on the stream is closed, as wasi:io wants it.
    failed: bool,
}

impl Body {
    fn room(&mut self) -> StreamResult<usize> {
        match self.pipe.room() {
            Ok(room) => Ok(room.min(MAX_WRITE)),
            Err(Stopped::Failed(failure)) if !self.failed => {
                self.failed = true;
                Err(StreamError::LastOperationFailed(wasmtime::Error::msg(failure.message)))
            }
            Err(_) => Err(StreamError::Closed),
        }
    }
}

#[async_trait]
impl Pollable for Body {
    async fn ready(&mut self) {
        self.pipe.wait_for_room().await;
    }
}

#[async_trait]
impl OutputStream for Body {
    fn check_write(&mut self) -> StreamResult<usize> {
        self.room()
    }

    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        if bytes.len() > self.room()? {
            return Err(StreamError::trap("the guest wrote more than check-write allowed"));
        }
        self.pipe.push(bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.room().map(|_| ())
    }
}
