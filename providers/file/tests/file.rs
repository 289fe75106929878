//! What is particular to this provider.

#![allow(clippy::expect_used, reason = "the helpers are part of the tests")]

use std::{
    fs::{self, File},
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use futures_util::stream;
use slight_capabilities::{
    ByteRange, Capability, Container, Error, ErrorKind, Provider, QualifiedName, Readiness, Result,
};
use slight_provider_file::{BlobSettings, Files, Settings};
use tempfile::TempDir;

fn directory() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary directory")
}

fn settings(directory: &TempDir) -> Settings {
    Settings { path: directory.path().join("data"), blob: BlobSettings::default() }
}

async fn opened(directory: &TempDir) -> Result<Files> {
    let files = Files::new(settings(directory))?;
    files.prepare(Capability::Blob).await?;
    Ok(files)
}

async fn existing(files: &Files, location: &str) -> Result<Arc<dyn Container>> {
    files.blob().expect("blob").existing(location).await
}

async fn write(container: &dyn Container, object: &str, content: &'static str) -> Result<()> {
    container.write(object, Box::pin(stream::iter([Ok(Bytes::from_static(content.as_bytes()))]))).await
}

fn entries(path: &Path) -> Vec<String> {
    let entries = fs::read_dir(path).expect("a directory");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("text")).collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn objects_are_files_under_their_names() -> Result<()> {
    let directory = directory();
    let store = opened(&directory).await?.blob().expect("blob");
    let container = store.create(&QualifiedName::new("shop/", "photos")).await?;
    for object in ["users/42/photo.jpg", "users", ".."] {
        write(&*container, object, "content").await?;
    }
    let path = directory.path().join("data/slight-blob/shop+/photos");
    for file in ["users+/42+/photo.jpg", "users", "=Li4"] {
        assert_eq!(fs::read(path.join(file)).expect(file), b"content", "{file}");
    }
    // Neither directories nor temporary files stay behind.
    container.delete(&["users/42/photo.jpg".into(), "users".into(), "..".into()]).await?;
    assert_eq!(entries(&path), [".slight-container"]);
    assert!(entries(&directory.path().join("data/slight-blob/.slight-tmp")).is_empty());
    store.delete(&QualifiedName::new("shop/", "photos")).await?;
    assert_eq!(entries(&directory.path().join("data/slight-blob")), [".slight-tmp"]);
    Ok(())
}

#[tokio::test]
async fn a_failed_write_leaves_no_file() -> Result<()> {
    let directory = directory();
    let container = opened(&directory).await?.blob().expect("blob").create(&"c".into()).await?;
    let items = [Ok(Bytes::from(vec![0; 1_000_000])), Err(Error::other("enough"))];
    container.write("object", Box::pin(stream::iter(items))).await.expect_err("the error of the stream");
    assert!(entries(&directory.path().join("data/slight-blob/.slight-tmp")).is_empty());
    assert_eq!(entries(&directory.path().join("data/slight-blob/c")), [".slight-container"]);
    Ok(())
}

#[tokio::test]
async fn literal_names_lead_nowhere_else() -> Result<()> {
    let directory = directory();
    let files = opened(&directory).await?;
    fs::create_dir_all(directory.path().join("data/photos")).expect("a directory");
    fs::write(directory.path().join("data/secret"), "secret").expect("a file");
    for location in ["..", "photos/..", "../data", "/", "/tmp", "photos/../photos", "", "a\0"] {
        let refused = existing(&files, location).await.err().expect("a refusal");
        assert_eq!(refused.kind(), ErrorKind::Invalid, "{location:?}");
    }
    let container = existing(&files, "photos").await?;
    let absolute = directory.path().join("data/secret").to_str().expect("text").to_owned();
    for object in ["../secret", "a/../../secret", &absolute, "..", ".", "a//b", "a/", "a\0", ".slight-tmp-1"] {
        let read = container.read(object, ByteRange::ALL).await.err().expect("a refusal");
        assert_eq!(read.kind(), ErrorKind::Invalid, "{object:?}");
        let written = write(&*container, object, "changed").await.expect_err("a refusal");
        assert_eq!(written.kind(), ErrorKind::Invalid, "{object:?}");
        container.delete(&[object.to_owned()]).await?;
    }
    assert_eq!(fs::read(directory.path().join("data/secret")).expect("a file"), b"secret");
    assert_eq!(entries(&directory.path().join("data")), ["photos", "secret", "slight-blob"]);
    Ok(())
}

#[cfg(unix)]
#[tokio::test]
async fn links_are_not_followed() -> Result<()> {
    let directory = directory();
    let files = opened(&directory).await?;
    let (photos, outside) = (directory.path().join("data/photos"), directory.path().join("outside"));
    fs::create_dir_all(&photos).expect("a directory");
    fs::create_dir_all(&outside).expect("a directory");
    fs::write(outside.join("secret"), "secret").expect("a file");
    std::os::unix::fs::symlink(&outside, photos.join("link")).expect("a link");
    std::os::unix::fs::symlink(outside.join("secret"), photos.join("file")).expect("a link");

    let container = existing(&files, "photos").await?;
    assert_eq!(container.list(None).await?.items, [""; 0]);
    assert_eq!(container.stat("file").await.expect_err("a refusal").kind(), ErrorKind::NotFound);
    assert_eq!(container.read("file", ByteRange::ALL).await.err().expect("a refusal").kind(), ErrorKind::NotFound);
    for refused in [
        container.stat("link/secret").await.map(|_| ()),
        write(&*container, "link/secret", "changed").await,
        write(&*container, "link/new", "new").await,
        container.delete(&["link/secret".into()]).await,
    ] {
        assert_eq!(refused.expect_err("a refusal").kind(), ErrorKind::Denied);
    }
    // The link is replaced, and not what it leads to.
    write(&*container, "file", "new").await?;
    assert_eq!(fs::read(outside.join("secret")).expect("a file"), b"secret");
    assert_eq!(entries(&outside), ["secret"]);
    Ok(())
}

#[tokio::test]
async fn what_dead_processes_left_is_removed() -> Result<()> {
    let directory = directory();
    opened(&directory).await?;
    let temporaries = directory.path().join("data/slight-blob/.slight-tmp");
    let file = |name: &str, age: Duration| {
        let file = File::create(temporaries.join(name)).expect("a file");
        file.set_modified(SystemTime::now() - age).expect("a time");
        file
    };
    let day = Duration::from_secs(24 * 3600);
    file(".slight-tmp-dead", day);
    file(".slight-tmp-young", Duration::ZERO);
    file("another program's", day);
    // A slow writer that lives.
    let slow = file(".slight-tmp-slow", day);
    slow.lock().expect("a lock");
    opened(&directory).await?;
    assert_eq!(entries(&temporaries), [".slight-tmp-slow", ".slight-tmp-young", "another program's"]);
    Ok(())
}

#[tokio::test]
async fn what_is_missing_is_made_only_if_it_may_be() -> Result<()> {
    let directory = directory();
    let mut strict = settings(&directory);
    strict.blob.create = false;
    let missing = Files::new(strict.clone())?.prepare(Capability::Blob).await.expect_err("a refusal");
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    assert!(missing.message().contains("slight-blob"), "{missing}");
    let missing = Files::new(strict.clone())?.inspect(Capability::Blob).await.expect_err("a refusal");
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    assert!(!strict.path.exists());
    opened(&directory).await?;
    Files::new(strict)?.prepare(Capability::Blob).await
}

#[tokio::test]
async fn inspecting_makes_nothing() -> Result<()> {
    let directory = directory();
    let files = Files::new(settings(&directory))?;
    let missing = format!("the directory {}", directory.path().join("data/slight-blob").display());
    assert_eq!(files.inspect(Capability::Blob).await?, Readiness::ToBeCreated(missing));
    assert!(!directory.path().join("data").exists());
    files.prepare(Capability::Blob).await?;
    assert_eq!(files.inspect(Capability::Blob).await?, Readiness::Ready);
    // A file on the way, and one in its place.
    for in_the_way in ["data", "data/slight-blob"] {
        fs::remove_dir_all(directory.path().join("data")).expect("a directory");
        let path = directory.path().join(in_the_way);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        fs::write(&path, "").expect("a file");
        files.inspect(Capability::Blob).await.expect_err("a refusal");
        files.prepare(Capability::Blob).await.expect_err("a refusal");
        fs::remove_file(&path).expect("a file");
        fs::create_dir_all(directory.path().join("data")).expect("a directory");
    }
    Ok(())
}

#[tokio::test]
async fn a_location_stays_within_the_path() {
    let directory = directory();
    for location in ["", "..", "../a", "/a", "a/../.."] {
        let mut settings = settings(&directory);
        settings.blob.location = location.into();
        assert_eq!(Files::new(settings).err().expect("a refusal").kind(), ErrorKind::Invalid, "{location:?}");
    }
}
