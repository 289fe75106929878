use std::vec;

use slight_capabilities::{Cursor, Result};
use wasmtime::component::Resource;

use super::{Answer, Container, bindings::container::HostStreamObjectNames, sentence};
use crate::{
    slices::Slices,
    state::{Shared, State},
};

/// The names of a container's objects, fetched page by page as the guest asks for them.
pub struct ObjectNames {
    container: Container,
    /// The rest of the page last fetched.
    page: vec::IntoIter<String>,
    next: Next,
    /// A provider in memory never waits, and a call may pass over any number of pages.
    slices: Slices,
}

enum Next {
    First,
    Page(Cursor),
    Nothing,
}

impl ObjectNames {
    pub(super) fn new(container: Container) -> Self {
        Self { container, page: Vec::new().into_iter(), next: Next::First, slices: Slices::begin() }
    }

    /// Takes names until there are `count`, or `bytes` in memory, or no more; then whether the end is reached. There is
    /// at least one name if any is wanted and left.
    ///
    /// A page that fails after the first name was taken fails in the next call, so that no name is lost.
    async fn take(&mut self, shared: &Shared, count: u64, bytes: usize) -> Result<(Vec<String>, bool)> {
        let (mut names, mut size) = (Vec::new(), 0_usize);
        while (names.len() as u64) < count {
            match self.fetch(shared).await {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) if names.is_empty() => return Err(error),
                Err(_) => break,
            }
            let Some(name) = self.page.as_slice().first() else { break };
            size = size.saturating_add(name.len() + size_of::<String>());
            if size > bytes && !names.is_empty() {
                break;
            }
            names.extend(self.page.next());
        }
        Ok((names, self.is_at_end()))
    }

    /// Passes over up to `count` names; gives how many there were, and whether the end is reached.
    async fn skip(&mut self, shared: &Shared, count: u64) -> Result<(u64, bool)> {
        let mut skipped = 0;
        while skipped < count {
            match self.fetch(shared).await {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) if skipped == 0 => return Err(error),
                Err(_) => break,
            }
            let here = usize::try_from(count - skipped).unwrap_or(usize::MAX).min(self.page.len());
            skipped += self.page.by_ref().take(here).count() as u64;
        }
        Ok((skipped, self.is_at_end()))
    }

    fn is_at_end(&self) -> bool {
        self.page.len() == 0 && matches!(self.next, Next::Nothing)
    }

    /// Fetches pages until there is a name; false at the end.
    async fn fetch(&mut self, shared: &Shared) -> Result<bool> {
        while self.page.len() == 0 {
            self.slices.pause().await;
            let cursor = match &self.next {
                Next::First => None,
                Next::Page(cursor) => Some(cursor),
                Next::Nothing => return Ok(false),
            };
            let list = self.container.container.list(cursor);
            let page = shared.guarded(self.container.call("blob list"), list).await?;
            self.page = page.items.into_iter();
            self.next = page.next.map_or(Next::Nothing, Next::Page);
        }
        Ok(true)
    }
}

impl HostStreamObjectNames for State {
    async fn read_stream_object_names(
        &mut self,
        names: Resource<ObjectNames>,
        len: u64,
    ) -> Answer<(Vec<String>, bool)> {
        let shared = self.shared.clone();
        let names = self.table.get_mut(&names)?;
        Ok(names.take(&shared, len, shared.limits.returned).await.map_err(sentence))
    }

    async fn skip_stream_object_names(&mut self, names: Resource<ObjectNames>, num: u64) -> Answer<(u64, bool)> {
        let shared = self.shared.clone();
        let names = self.table.get_mut(&names)?;
        Ok(names.skip(&shared, num).await.map_err(sentence))
    }

    async fn drop(&mut self, names: Resource<ObjectNames>) -> wasmtime::Result<()> {
        self.table.delete(names)?;
        Ok(())
    }
}
