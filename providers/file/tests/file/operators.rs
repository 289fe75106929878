//! What operators do to the directories and files of the provider while they are in use.

use std::{fs, os::unix::fs::symlink, path::PathBuf, sync::Arc};

use slight_conformance::disruption::{Disruption, Names, Stage, Starting, done, remove_directory};
use slight_provider_file::{BlobSettings, Files, Settings};
use tempfile::TempDir;

struct Disk(TempDir);

impl Disk {
    fn path(&self) -> PathBuf {
        self.0.path().join("data")
    }

    fn root(&self) -> PathBuf {
        self.path().join("slight-blob")
    }

    fn container(&self, names: &Names) -> PathBuf {
        self.root().join(names.name.encoded())
    }

    fn moved(&self) -> PathBuf {
        self.0.path().join("moved")
    }
}

fn stage() -> Starting<Disk> {
    Box::pin(async {
        let disk = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).map_err(|error| error.to_string())?;
        let disk = Disk(disk);
        let settings = Settings { path: disk.path(), blob: BlobSettings::default() };
        let files = Files::new(settings).map_err(|error| error.to_string())?;
        Ok(Stage { provider: Arc::new(files), backend: disk })
    })
}

const BLOBS: &[Disruption<Disk>] = &[
    Disruption::new("directory of a container", "removed", |disk: &Disk, names| {
        done(remove_directory(&disk.container(names)))
    })
    .loses_what_it_held(),
    Disruption::new("directory of a container", "moved away, a file in its place", |disk: &Disk, names| {
        let container = disk.container(names);
        done(fs::rename(&container, disk.moved()).and_then(|()| fs::write(container, "not a directory")))
    })
    .until(|disk: &Disk, names| {
        let container = disk.container(names);
        done(fs::remove_file(&container).and_then(|()| fs::rename(disk.moved(), container)))
    }),
    Disruption::new("directory of a container", "moved away, a link to it in its place", |disk: &Disk, names| {
        let container = disk.container(names);
        done(fs::rename(&container, disk.moved()).and_then(|()| symlink(disk.moved(), container)))
    })
    .until(|disk: &Disk, names| {
        let container = disk.container(names);
        done(fs::remove_file(&container).and_then(|()| fs::rename(disk.moved(), container)))
    }),
    Disruption::new(".slight-container of a container", "removed", |disk: &Disk, names| {
        done(fs::remove_file(disk.container(names).join(".slight-container")))
    }),
    Disruption::new(".slight-container of a container", "emptied", |disk: &Disk, names| {
        done(fs::write(disk.container(names).join(".slight-container"), ""))
    }),
    Disruption::new(".slight-container of a container", "replaced by a link", |disk: &Disk, names| {
        let marker = disk.container(names).join(".slight-container");
        done(fs::remove_file(&marker).and_then(|()| symlink("/dev/null", marker)))
    }),
    Disruption::new(".slight-tmp", "removed", |disk: &Disk, _| {
        done(remove_directory(&disk.root().join(".slight-tmp")))
    })
    .everywhere(),
    Disruption::new("location", "removed", |disk: &Disk, _| done(remove_directory(&disk.root())))
        .loses_what_it_held()
        .everywhere(),
    Disruption::new("path", "removed", |disk: &Disk, _| done(remove_directory(&disk.path())))
        .loses_what_it_held()
        .everywhere(),
];

slight_conformance::disruptions!("../../docs/providers/file.md", stage; blob BLOBS);
