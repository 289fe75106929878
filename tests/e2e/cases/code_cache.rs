//! Where compiled components are kept: what is loaded from there runs as part of the host.
#![cfg(unix)]

use std::{
    fs::{self, Permissions},
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
};

use slight_e2e::{Invocation, run};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// All files below a directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn hello(cache: &Path) -> Invocation {
    run("hello-http").env("XDG_CACHE_HOME", cache)
}

/// Serves, and gives what the log said of the cache.
async fn serve(invocation: Invocation) -> Vec<String> {
    let app = invocation.start().await;
    assert_eq!(app.get("/").await.text(), "hello");
    let log = app.stop().await.stderr;
    log.lines().filter(|line| line.contains("compiled components are not kept")).map(str::to_owned).collect()
}

#[tokio::test]
async fn what_is_kept_is_this_users_alone() {
    let base = tempfile::tempdir().unwrap();
    assert_eq!(serve(hello(base.path())).await, [""; 0]);
    let cache = base.path().join("slight");
    assert_eq!(mode(&cache), 0o700);
    let kept = files(&cache);
    assert!(!kept.is_empty(), "nothing is kept");
    let artifacts = kept.iter().filter(|path| path.extension().is_none());
    artifacts.for_each(|path| assert_eq!(mode(path), 0o600, "{}", path.display()));
    assert_eq!(serve(hello(base.path())).await, [""; 0], "it is used again");
}

#[tokio::test]
async fn what_others_could_have_written_is_not_loaded() {
    let base = tempfile::tempdir().unwrap();
    serve(hello(base.path())).await;
    let cache = base.path().join("slight");
    let artifact = files(&cache).into_iter().find(|path| path.extension().is_none()).expect("an artifact is kept");
    let artifact_mode = mode(&artifact);
    for (path, open, closed) in
        [(&artifact, 0o666, artifact_mode), (&cache, 0o777, 0o700), (&base.path().to_owned(), 0o777, 0o700)]
    {
        set_mode(path, open);
        let said = serve(hello(base.path())).await;
        let [said] = said.as_slice() else { panic!("it must be said once: {said:?}") };
        assert!(said.contains("WARN") && said.contains(&format!("others may write to {}", path.display())), "{said}");
        assert!(said.contains("chmod go-w") && said.contains(&format!("rm -r {}", cache.display())), "{said}");
        assert_eq!(mode(path), open, "it is left as it is");
        set_mode(path, closed);
    }
    assert_eq!(serve(hello(base.path())).await, [""; 0]);
}

#[tokio::test]
async fn a_link_to_where_others_can_write_is_not_followed() {
    let base = tempfile::tempdir().unwrap();
    let (shared, own) = (base.path().join("shared"), base.path().join("own"));
    fs::create_dir(&shared).unwrap();
    fs::create_dir(&own).unwrap();
    set_mode(&shared, 0o777);
    symlink(&shared, own.join("slight")).unwrap();
    let said = serve(hello(&own)).await;
    assert!(
        said.first().is_some_and(|said| said.contains(&format!("others may write to {}", shared.display()))),
        "{said:?}"
    );
    assert!(files(&shared).is_empty());
}

#[tokio::test]
async fn a_relative_cache_directory_is_none() {
    let invocation = run("hello-http").env("XDG_CACHE_HOME", "cache");
    let dir = invocation.dir().to_owned();
    let app = invocation.start().await;
    assert_eq!(app.get("/").await.text(), "hello");
    assert!(!dir.join("cache").exists() && dir.join(".cache/slight").exists(), "it is that of the home directory");
}
