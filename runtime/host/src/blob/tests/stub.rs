use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use slight_capabilities::{
    Blob, BlobStore, ByteRange, ByteStream, Container, ContainerInfo, Cursor, Error, ObjectId, ObjectInfo, Page,
    QualifiedName, Result,
};

type OnWrite = dyn Fn(ByteStream) -> BoxFuture<'static, Result<()>> + Send + Sync;
type OnRead = dyn Fn() -> Result<Blob> + Send + Sync;

/// A provider that does what a test wants to see. It has every container, and they are all alike.
#[derive(Clone)]
pub(super) struct Stub {
    on_write: Arc<OnWrite>,
    on_read: Arc<OnRead>,
    pages: Arc<Vec<Page<String>>>,
}

fn nothing<T>() -> Result<T> {
    Err(Error::other("the stub has none"))
}

impl Stub {
    pub fn new() -> Self {
        Self {
            on_write: Arc::new(|_| Box::pin(async { nothing() })),
            on_read: Arc::new(nothing),
            pages: Arc::default(),
        }
    }

    pub fn on_write(
        self,
        write: impl Fn(ByteStream) -> BoxFuture<'static, Result<()>> + Send + Sync + 'static,
    ) -> Self {
        Self { on_write: Arc::new(write), ..self }
    }

    pub fn on_read(self, read: impl Fn() -> Result<Blob> + Send + Sync + 'static) -> Self {
        Self { on_read: Arc::new(read), ..self }
    }

    /// Lists these pages. A page that is not there is an error.
    pub fn pages(self, pages: &[&[&str]], last: usize) -> Self {
        let page = |(index, names): (usize, &&[&str])| Page {
            items: names.iter().map(ToString::to_string).collect(),
            next: (index + 1 < last).then(|| Cursor::from((index + 1).to_string())),
        };
        Self { pages: Arc::new(pages.iter().enumerate().map(page).collect()), ..self }
    }
}

#[async_trait]
impl BlobStore for Stub {
    async fn create(&self, _: &QualifiedName) -> Result<Arc<dyn Container>> {
        Ok(Arc::new(self.clone()))
    }

    async fn get(&self, _: &QualifiedName) -> Result<Arc<dyn Container>> {
        Ok(Arc::new(self.clone()))
    }

    async fn existing(&self, _: &str) -> Result<Arc<dyn Container>> {
        Ok(Arc::new(self.clone()))
    }

    async fn delete(&self, _: &QualifiedName) -> Result<()> {
        nothing()
    }

    async fn exists(&self, _: &QualifiedName) -> Result<bool> {
        Ok(true)
    }

    async fn copy(&self, _: &ObjectId, _: &ObjectId) -> Result<()> {
        nothing()
    }
}

#[async_trait]
impl Container for Stub {
    async fn info(&self) -> Result<ContainerInfo> {
        nothing()
    }

    async fn read(&self, _: &str, _: ByteRange) -> Result<Blob> {
        (self.on_read)()
    }

    async fn write(&self, _: &str, body: ByteStream) -> Result<()> {
        (self.on_write)(body).await
    }

    async fn stat(&self, _: &str) -> Result<ObjectInfo> {
        nothing()
    }

    async fn list(&self, cursor: Option<&Cursor>) -> Result<Page<String>> {
        let index = cursor.map_or(0, |cursor| cursor.as_str().parse().unwrap());
        self.pages.get(index).cloned().ok_or_else(|| Error::unavailable("the page is not there"))
    }

    async fn delete(&self, _: &[String]) -> Result<()> {
        nothing()
    }
}
