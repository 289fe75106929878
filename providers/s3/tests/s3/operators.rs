//! What an operator, or another program, does to what the provider keeps.

use std::{
    fmt::Display,
    sync::{
        LazyLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use serde_json::json;
use slight_conformance::disruption::{Disruption, Doing, Names, Stage, Starting};
use slight_provider_s3::kind;

use slight_services::{Missing, SEAWEEDFS, Server};

use crate::support::{Place, merge, place_on};

type Done = Result<(), String>;

/// One that deletes S3 buckets with what is in them: under load none would ever be empty.
static SERVER: LazyLock<Result<Server, Missing>> =
    LazyLock::new(|| Server::start(&SEAWEEDFS, &["-s3.allowDeleteBucketNotEmpty=true"]));

/// The server past the provider, and an S3 bucket of one row's own.
struct Backend {
    place: Place,
    bucket: String,
}

fn stage() -> Starting<Backend> {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    Box::pin(async {
        let place = SERVER.as_ref().map(place_on).map_err(ToString::to_string)?;
        let bucket = format!("operators-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let mut settings = place.settings();
        let (key_value, blob) = (format!("{bucket}/entries"), format!("{bucket}/objects"));
        merge(&mut settings, json!({ "key-value": { "location": key_value }, "blob": { "location": blob } }));
        let provider = kind().connect(settings).await.map_err(told)?;
        Ok(Stage { provider, backend: Backend { place, bucket } })
    })
}

fn told(error: impl Display) -> String {
    error.to_string()
}

impl Backend {
    async fn delete_bucket(&self) -> Done {
        self.place.client().delete_bucket().bucket(&self.bucket).send().await.map(drop).map_err(told)
    }

    async fn put(&self, key: &str) -> Done {
        let put = self.place.client().put_object().bucket(&self.bucket).key(key);
        put.send().await.map(drop).map_err(told)
    }

    async fn leave_foreign_objects(&self, directory: &str) -> Done {
        for key in ["a/", "a b", "=YR", ".hidden", "a+/b", "%2F", "\u{e9}", "\u{1}"] {
            self.put(&format!("{directory}{key}")).await?;
        }
        let upload = self.place.client().create_multipart_upload().bucket(&self.bucket);
        upload.key(format!("{directory}a b.part")).send().await.map(drop).map_err(told)
    }
}

fn delete_bucket<'a>(backend: &'a Backend, _: &'a Names) -> Doing<'a> {
    Box::pin(backend.delete_bucket())
}

fn make_bucket_anew<'a>(backend: &'a Backend, _: &'a Names) -> Doing<'a> {
    Box::pin(async {
        backend.delete_bucket().await?;
        // The provider may have been faster.
        let _ = backend.place.client().create_bucket().bucket(&backend.bucket).send().await;
        backend.put("made-anew").await
    })
}

fn leave_foreign_entries<'a>(backend: &'a Backend, names: &'a Names) -> Doing<'a> {
    Box::pin(async { backend.leave_foreign_objects(&format!("entries/{}/", names.name.encoded())).await })
}

fn leave_foreign_objects<'a>(backend: &'a Backend, names: &'a Names) -> Doing<'a> {
    Box::pin(async { backend.leave_foreign_objects(&format!("objects/{}/", names.name.encoded())).await })
}

fn delete_marker<'a>(backend: &'a Backend, names: &'a Names) -> Doing<'a> {
    Box::pin(async {
        let key = format!("objects/{}/.slight-container", names.name.encoded());
        let delete = backend.place.client().delete_object().bucket(&backend.bucket).key(key);
        delete.send().await.map(drop).map_err(told)
    })
}

const ENTRIES: &[Disruption<Backend>] = &[
    Disruption::new("S3 bucket", "deleted", delete_bucket).loses_what_it_held().everywhere(),
    Disruption::new("S3 bucket", "deleted and made anew", make_bucket_anew).loses_what_it_held().everywhere(),
    Disruption::new("bucket's objects", "what is not ours is put beside them", leave_foreign_entries),
];

const OBJECTS: &[Disruption<Backend>] = &[
    Disruption::new("S3 bucket", "deleted", delete_bucket).loses_what_it_held().everywhere(),
    Disruption::new("marker of a container", "deleted", delete_marker),
    Disruption::new("container's objects", "what is not ours is put beside them", leave_foreign_objects),
];

slight_conformance::disruptions!("../../docs/providers/s3.md", stage; key_value ENTRIES, blob OBJECTS);
