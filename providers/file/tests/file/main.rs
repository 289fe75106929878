//! What is particular to this provider.

#![allow(clippy::expect_used, reason = "the helpers are part of the tests")]

mod operators;

use std::{
    ffi::OsStr,
    fs::{self, File},
    os::unix::{
        ffi::OsStrExt,
        fs::{PermissionsExt, symlink},
    },
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use futures_util::stream;
use slight_capabilities::{
    ByteRange, Capability, Container, Error, ErrorKind, ObjectId, Provider, QualifiedName, Readiness, Result,
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
    let path = directory.path().join("data/slight-blob/shop+/=+/photos");
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

#[tokio::test]
async fn links_are_not_followed() -> Result<()> {
    let directory = directory();
    let files = opened(&directory).await?;
    let (photos, outside) = (directory.path().join("data/photos"), directory.path().join("outside"));
    fs::create_dir_all(&photos).expect("a directory");
    fs::create_dir_all(&outside).expect("a directory");
    fs::write(outside.join("secret"), "secret").expect("a file");
    symlink(&outside, photos.join("link")).expect("a link");
    symlink(outside.join("secret"), photos.join("file")).expect("a link");

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

#[tokio::test]
async fn links_of_a_guest_lead_nowhere_in_any_naming() -> Result<()> {
    let directory = directory();
    let store = opened(&directory).await?.blob().expect("blob");
    let outside = directory.path().join("secret");
    fs::create_dir_all(&outside).expect("a directory");
    fs::write(outside.join("canary"), "secret").expect("a file");
    let container = store.create(&"c".into()).await?;
    let path = directory.path().join("data/slight-blob/c");
    // What a guest does with a writable mount over the same directory.
    symlink("../../../secret", path.join("x+")).expect("a link");
    symlink("../../../secret/canary", path.join("file")).expect("a link");
    for refused in [
        container.read("x/canary", ByteRange::ALL).await.map(|_| ()),
        container.stat("x/canary").await.map(|_| ()),
        write(&*container, "x/canary", "changed").await,
        write(&*container, "x/new", "new").await,
        container.delete(&["x/canary".into()]).await,
        store.copy(&id("c", "x/canary"), &id("c", "copy")).await,
    ] {
        let refused = refused.expect_err("a refusal");
        assert_eq!(refused.kind(), ErrorKind::Denied);
        assert!(refused.message().contains("symbolic link"), "{refused}");
    }
    assert_eq!(container.read("file", ByteRange::ALL).await.err().expect("none").kind(), ErrorKind::NotFound);
    assert_eq!(container.list(None).await?.items, [""; 0]);

    // A container that is a link, and one whose temporary files would be elsewhere.
    symlink("../../secret", directory.path().join("data/slight-blob/linked")).expect("a link");
    for refused in [store.get(&"linked".into()).await.err(), store.exists(&"linked".into()).await.err()] {
        assert_eq!(refused.expect("a refusal").kind(), ErrorKind::Denied);
    }
    store.delete(&"linked".into()).await?;
    let temporaries = directory.path().join("data/slight-blob/.slight-tmp");
    fs::remove_dir(&temporaries).expect("a directory");
    symlink("../../secret", &temporaries).expect("a link");
    assert_eq!(write(&*container, "object", "new").await.expect_err("a refusal").kind(), ErrorKind::Denied);
    // The location itself.
    fs::rename(directory.path().join("data/slight-blob"), directory.path().join("data/moved")).expect("a rename");
    symlink("../secret", directory.path().join("data/slight-blob")).expect("a link");
    assert_eq!(store.create(&"d".into()).await.err().expect("a refusal").kind(), ErrorKind::Denied);
    assert_eq!(entries(&outside), ["canary"]);
    assert_eq!(fs::read(outside.join("canary")).expect("a file"), b"secret");
    Ok(())
}

fn id(container: &str, object: &str) -> ObjectId {
    ObjectId { container: container.into(), object: object.to_owned() }
}

/// A guest swaps a directory for a link and back while others use it.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_turns_into_a_link_leads_nowhere() -> Result<()> {
    let directory = directory();
    let container = opened(&directory).await?.blob().expect("blob").create(&"c".into()).await?;
    let (path, outside) = (directory.path().join("data/slight-blob/c"), directory.path().join("secret"));
    fs::create_dir_all(outside.join("y+")).expect("a directory");
    fs::write(outside.join("canary"), "secret").expect("a file");
    write(&*container, "x/own", "own").await?;
    symlink(&outside, path.join("link")).expect("a link");
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    let over = Arc::new(AtomicBool::new(false));
    let swapping = std::thread::spawn({
        let (over, path) = (over.clone(), path.clone());
        move || {
            let mut swaps = 0;
            while !over.load(Ordering::SeqCst) {
                // A writer may be making the directory just now.
                _ = renameat_with(CWD, path.join("x+"), CWD, path.join("link"), RenameFlags::EXCHANGE);
                swaps += 1;
            }
            swaps
        }
    });
    for _ in 0..100 {
        if let Ok(blob) = container.read("x/canary", ByteRange::ALL).await {
            panic!("read {} bytes of what is outside", blob.size);
        }
        _ = container.stat("x/own").await;
        _ = write(&*container, "x/new", "new").await;
        _ = write(&*container, "x/y/new", "new").await;
        _ = container.delete(&["x/canary".into(), "x/new".into()]).await;
        let listed = container.list(None).await?.items;
        assert!(!listed.iter().any(|object| object.ends_with("canary")), "{listed:?}");
    }
    over.store(true, Ordering::SeqCst);
    assert!(swapping.join().expect("no panic") > 10);
    assert_eq!(entries(&outside), ["canary", "y+"]);
    assert_eq!(entries(&outside.join("y+")), [""; 0]);
    Ok(())
}

#[tokio::test]
async fn what_is_no_file_is_no_object_and_holds_nobody_up() -> Result<()> {
    let directory = directory();
    let files = opened(&directory).await?;
    let store = files.blob().expect("blob");
    let container = store.create(&"c".into()).await?;
    let path = directory.path().join("data/slight-blob/c");
    let made = std::process::Command::new("mkfifo").arg(path.join("pipe")).status();
    assert!(made.expect("mkfifo").success());
    let _socket = std::os::unix::net::UnixListener::bind(path.join("socket")).expect("a socket");
    fs::create_dir(path.join("directory")).expect("a directory");
    fs::create_dir(path.join("unreadable+")).expect("a directory");
    fs::set_permissions(path.join("unreadable+"), fs::Permissions::from_mode(0o0)).expect("a mode");
    // A file where a directory is expected.
    fs::write(path.join("file+"), "").expect("a file");
    fs::write(path.join(OsStr::from_bytes(b"odd\xff")), "").expect("a file");
    fs::write(path.join("=YQ"), "what slight would not write").expect("a file");
    write(&*container, "good", "content").await?;
    for object in ["pipe", "socket", "directory", "file/a"] {
        let missing = container.read(object, ByteRange::ALL).await.err().expect("no object");
        assert_eq!(missing.kind(), ErrorKind::NotFound, "{object}");
        assert_eq!(container.stat(object).await.expect_err("no object").kind(), ErrorKind::NotFound, "{object}");
    }
    assert_eq!(container.list(None).await?.items, ["good"]);
    for object in ["pipe", "socket"] {
        write(&*container, object, "content").await?;
    }
    assert_eq!(write(&*container, "directory", "content").await.expect_err("in the way").kind(), ErrorKind::Invalid);
    assert_eq!(write(&*container, "file/a", "content").await.expect_err("in the way").kind(), ErrorKind::Invalid);
    store.delete(&"c".into()).await?;
    assert!(!store.exists(&"c".into()).await?);

    // A hard link is a file like any other, and a write never changes the file that it is of.
    let container = store.create(&"c".into()).await?;
    fs::write(directory.path().join("outside"), "outside").expect("a file");
    fs::hard_link(directory.path().join("outside"), path.join("hard")).expect("a hard link");
    assert_eq!(container.stat("hard").await?.size, 7);
    write(&*container, "hard", "changed").await?;
    container.delete(&["hard".into()]).await?;
    assert_eq!(fs::read(directory.path().join("outside")).expect("a file"), b"outside");
    Ok(())
}

#[tokio::test]
async fn deep_trees_of_others_are_passed_over_and_removed() -> Result<()> {
    let directory = directory();
    let store = opened(&directory).await?.blob().expect("blob");
    let container = store.create(&"c".into()).await?;
    write(&*container, "good", "content").await?;
    // As deep as a path can say, and deeper than files are opened at a time.
    let deep = directory.path().join("data/slight-blob/c").join("d+/".repeat(1200));
    fs::create_dir_all(&deep).expect("directories");
    fs::write(deep.join("file"), "").expect("a file");
    assert_eq!(container.list(None).await?.items, ["good"]);
    store.delete(&"c".into()).await?;
    assert!(entries(&directory.path().join("data/slight-blob/.slight-tmp")).is_empty());
    Ok(())
}

#[tokio::test]
async fn what_vanishes_while_it_is_used_is_made_again() -> Result<()> {
    let directory = directory();
    let files = opened(&directory).await?;
    let store = files.blob().expect("blob");
    let root = directory.path().join("data/slight-blob");
    let container = store.create(&"c".into()).await?;
    write(&*container, "object", "content").await?;

    // A marker that is gone, cut off, or something else: the objects are there again with the container.
    let marker = root.join("c/.slight-container");
    fs::write(&marker, "").expect("a file");
    container.info().await?;
    for something_else in [false, true] {
        fs::remove_file(&marker).expect("a file");
        if something_else {
            symlink("elsewhere", &marker).expect("a link");
        }
        assert!(!store.exists(&"c".into()).await?);
        store.create(&"c".into()).await?;
        assert_eq!(store.create(&"c".into()).await.err().expect("one").kind(), ErrorKind::AlreadyExists);
        assert_eq!(container.stat("object").await?.size, 7);
    }

    fs::remove_dir_all(root.join(".slight-tmp")).expect("a directory");
    write(&*container, "object", "content").await?;
    fs::remove_dir_all(root.join("c")).expect("a directory");
    assert_eq!(write(&*container, "object", "content").await.expect_err("no container").kind(), ErrorKind::NotFound);
    fs::remove_dir_all(directory.path().join("data")).expect("a directory");
    store.create(&"c".into()).await?;
    write(&*container, "object", "content").await?;

    let mut strict = settings(&directory);
    strict.blob.create = false;
    let strict = Files::new(strict)?;
    strict.prepare(Capability::Blob).await?;
    fs::rename(&root, directory.path().join("moved")).expect("a rename");
    let gone = strict.blob().expect("blob").create(&"d".into()).await.err().expect("a refusal");
    assert!(gone.message().contains("slight-blob"), "{gone}");
    assert!(!root.exists());
    fs::rename(directory.path().join("moved"), &root).expect("a rename");
    strict.blob().expect("blob").create(&"d".into()).await.map(|_| ())
}

#[test]
fn a_full_disk_is_said_and_got_over() -> slight_kill::Outcome {
    slight_kill::on_a_small_disk("a_full_disk_is_said_and_got_over", env!("CARGO_TARGET_TMPDIR"), 8, full_disk)
}

async fn full_disk(disk: &Path) -> Result<()> {
    let files = Files::new(Settings { path: disk.join("data"), blob: BlobSettings::default() })?;
    files.prepare(Capability::Blob).await?;
    let store = files.blob().expect("blob");
    let container = store.create(&"c".into()).await?;
    write(&*container, "before", "content").await?;
    let filler = slight_kill::fill(disk).expect("a full disk");
    let full = write(&*container, "object", "content").await.expect_err("a full disk");
    assert_eq!(full.kind(), ErrorKind::Unavailable, "{full}");
    assert!(full.message().contains("there is room"), "{full}");
    assert_eq!(container.stat("before").await?.size, 7);
    assert_eq!(entries(&disk.join("data/slight-blob/.slight-tmp")), [""; 0]);
    container.delete(&["before".into()]).await?;
    fs::remove_file(filler).expect("a file");
    write(&*container, "object", "content").await
}
