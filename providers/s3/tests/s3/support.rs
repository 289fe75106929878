//! Servers, providers, clients past them, and waiting.

use std::{
    sync::{
        Arc, LazyLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use aws_sdk_s3::{
    Client,
    config::{BehaviorVersion, Credentials, Region},
};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use slight_capabilities::{
    Blob, BlobStore, Bucket, ByteRange, ByteStream, Capability, Container, Provider, QualifiedName, Result,
};
use slight_provider_s3::kind;
use slight_services::{DEADLINE, Fault, Faults, Missing, S3_ADMIN, SEAWEEDFS, Server, present};

pub const MIB: usize = 1 << 20;

/// The S3 bucket of all tests that share the server. Each has a prefix of its own in it.
pub const S3_BUCKET: &str = "slight-tests";

/// One server for all tests that let it live. Nothing drops it: it ends with the process.
static SHARED: LazyLock<Result<Server, Missing>> = LazyLock::new(|| Server::start(&SEAWEEDFS, &[]));

/// A part of an S3 bucket that nobody else uses, and the way to it.
#[derive(Clone)]
pub struct Place {
    pub port: u16,
    pub url: String,
    pub prefix: String,
}

/// A place on the shared server; `None`, said loudly, where there is no server.
#[track_caller]
pub fn place() -> Option<Place> {
    let server = present(SHARED.as_ref().map_err(Clone::clone))?;
    Some(place_on(server))
}

pub fn place_on(server: &Server) -> Place {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let prefix = format!("test-{}", NEXT.fetch_add(1, Ordering::Relaxed));
    Place { port: server.port(), url: server.url(), prefix }
}

impl Place {
    /// The same place behind a network that fails as it is told to.
    pub fn behind_faults(mut self) -> (Self, Faults) {
        let faults = Faults::before(self.port);
        self.url = faults.url();
        (self, faults)
    }

    /// Its host and port.
    pub fn address(&self) -> String {
        self.url.split_once("://").unwrap().1.to_owned()
    }

    pub fn settings(&self) -> Value {
        json!({
            "endpoint": self.url,
            "access-key-id": S3_ADMIN.id,
            "secret-access-key": S3_ADMIN.secret,
            // For busy machines; and SeaweedFS has conditional writes of one key that meet wait, not in turn.
            "timeout": "60s",
            "key-value": { "location": format!("{S3_BUCKET}/{}/kv", self.prefix), "create": true },
            "blob": { "location": format!("{S3_BUCKET}/{}/blob", self.prefix), "create": true },
        })
    }

    /// A provider whose settings differ by these, ready for both capabilities.
    pub async fn provider_with(&self, more: Value) -> Arc<dyn Provider> {
        let mut settings = self.settings();
        merge(&mut settings, more);
        let provider = kind().connect(settings).await.unwrap();
        for capability in [Capability::KeyValue, Capability::Blob] {
            provider.prepare(capability).await.unwrap();
        }
        provider
    }

    pub async fn provider(&self) -> Arc<dyn Provider> {
        self.provider_with(json!({})).await
    }

    pub async fn bucket(&self) -> Arc<dyn Bucket> {
        bucket(&*self.provider().await).await
    }

    pub async fn container(&self) -> Arc<dyn Container> {
        container(&*self.provider().await).await
    }

    /// A client past the provider, and past what fails.
    pub fn client(&self) -> Client {
        let keys = Credentials::new(S3_ADMIN.id, S3_ADMIN.secret, None, None, "test");
        let config = aws_sdk_s3::Config::builder().behavior_version(BehaviorVersion::latest());
        let config = config.endpoint_url(format!("http://127.0.0.1:{}", self.port)).region(Region::new("us-east-1"));
        Client::from_conf(config.credentials_provider(keys).force_path_style(true).build())
    }

    /// The keys in S3 of all that is in this place, without the prefix.
    pub async fn keys(&self) -> Vec<String> {
        let prefix = format!("{}/", self.prefix);
        let list = self.client().list_objects_v2().bucket(S3_BUCKET).prefix(&prefix).send().await.unwrap();
        let keys = list.contents().iter().filter_map(|object| object.key());
        keys.map(|key| key.strip_prefix(&prefix).unwrap().to_owned()).collect()
    }

    /// How many uploads in this place are begun and not over.
    pub async fn uploads(&self) -> usize {
        let list = self.client().list_multipart_uploads().bucket(S3_BUCKET).prefix(format!("{}/", self.prefix));
        list.send().await.unwrap().uploads().len()
    }

    /// Waits until nothing of an upload is left.
    pub async fn has_no_uploads(&self) {
        eventually("the end of all uploads", async || self.uploads().await == 0).await;
    }
}

/// What S3 answers where something is wrong.
pub fn answer(status: u16, code: &str) -> Fault {
    Fault::answer(status, format!("<Error><Code>{code}</Code><Message>hunter2</Message></Error>"))
}

pub fn merge(settings: &mut Value, more: Value) {
    match (settings, more) {
        (Value::Object(settings), Value::Object(more)) => {
            for (key, value) in more {
                merge(settings.entry(key).or_insert(Value::Null), value);
            }
        }
        (settings, more) => *settings = more,
    }
}

pub async fn bucket(provider: &dyn Provider) -> Arc<dyn Bucket> {
    provider.key_value().unwrap().open(&"bucket".into()).await.unwrap()
}

pub fn blobs(provider: &dyn Provider) -> Arc<dyn BlobStore> {
    provider.blob().unwrap()
}

/// The container of this name, new or not.
pub async fn container(provider: &dyn Provider) -> Arc<dyn Container> {
    let name = QualifiedName::from("container");
    match blobs(provider).create(&name).await {
        Ok(container) => container,
        Err(_) => blobs(provider).get(&name).await.unwrap(),
    }
}

/// A stream of so many megabytes, none of which takes memory. Each begins with its number.
pub fn megabytes(count: usize) -> ByteStream {
    Box::pin(stream::iter(0..count).map(|number| Ok(megabyte(number))))
}

fn megabyte(number: usize) -> Bytes {
    let mut bytes = vec![number as u8; MIB];
    bytes[..8].copy_from_slice(&(number as u64).to_be_bytes());
    bytes.into()
}

/// Requires that a stream has exactly these megabytes, from the start.
pub async fn is_megabytes(blob: Blob, count: usize) {
    assert_eq!(blob.size, (count * MIB) as u64);
    let (mut body, mut at) = (blob.body, 0);
    while let Some(chunk) = body.next().await {
        let mut chunk = chunk.unwrap();
        while !chunk.is_empty() {
            let (number, offset) = (at / MIB, at % MIB);
            let part = chunk.split_to(chunk.len().min(MIB - offset));
            assert!(part == megabyte(number)[offset..offset + part.len()], "byte {at} and on");
            at += part.len();
        }
    }
    assert_eq!(at, count * MIB, "the stream ended early");
}

pub fn text(text: &str) -> ByteStream {
    Box::pin(stream::iter([Ok(Bytes::from(text.to_owned()))]))
}

/// All that is left of a stream, or the error that it ends with.
pub async fn rest(blob: Blob) -> Result<Vec<u8>> {
    let mut body = blob.body;
    let mut all = Vec::new();
    while let Some(chunk) = body.next().await {
        all.extend_from_slice(&chunk?);
    }
    Ok(all)
}

pub async fn content(container: &dyn Container, object: &str) -> Result<Vec<u8>> {
    rest(container.read(object, ByteRange::ALL).await?).await
}

pub async fn value(bucket: &dyn Bucket, key: &str) -> Option<String> {
    let entry = bucket.get(key).await.unwrap()?;
    Some(String::from_utf8(entry.value.to_vec()).unwrap())
}

/// Asks again until it holds.
pub async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !holds().await {
        assert!(Instant::now() < end, "{what} did not come about within {DEADLINE:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
