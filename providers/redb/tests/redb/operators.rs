//! What operators do to the database file while it is in use.

use std::{
    fs::{self, File},
    path::PathBuf,
    sync::Arc,
};

use slight_conformance::disruption::{Disruption, Stage, Starting, done};
use slight_provider_redb::{KeyValueSettings, MessagingSettings, Redb, Settings};
use tempfile::TempDir;

struct Disk(TempDir);

impl Disk {
    fn file(&self) -> PathBuf {
        self.0.path().join("slight.redb")
    }

    fn moved(&self) -> PathBuf {
        self.0.path().join("moved.redb")
    }
}

fn stage() -> Starting<Disk> {
    Box::pin(async {
        let disk = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).map_err(|error| error.to_string())?;
        let disk = Disk(disk);
        let (key_value, messaging) = (KeyValueSettings::default(), MessagingSettings::default());
        let redb =
            Redb::new(Settings { path: disk.file(), key_value, messaging }).map_err(|error| error.to_string())?;
        Ok(Stage { provider: Arc::new(redb), backend: disk })
    })
}

/// One file holds everything.
const FILE: &[Disruption<Disk>] = &[
    Disruption::new("database file", "removed", |disk: &Disk, _| done(fs::remove_file(disk.file())))
        .loses_what_it_held()
        .everywhere(),
    Disruption::new("database file", "moved away and back", |disk: &Disk, _| {
        done(fs::rename(disk.file(), disk.moved()))
    })
    .until(|disk: &Disk, _| done(fs::rename(disk.moved(), disk.file())))
    .everywhere(),
    Disruption::new("database file", "another program's file in its place", |disk: &Disk, _| {
        done(fs::write(disk.moved(), [b'x'; 10_000]).and_then(|()| fs::rename(disk.moved(), disk.file())))
    })
    .until(|disk: &Disk, _| done(fs::remove_file(disk.file())))
    .loses_what_it_held()
    .everywhere(),
    Disruption::new("database file", "cut off to nothing", |disk: &Disk, _| {
        done(File::options().write(true).open(disk.file()).and_then(|file| file.set_len(0)))
    })
    .until(|disk: &Disk, _| done(fs::remove_file(disk.file())))
    .loses_what_it_held()
    .everywhere(),
];

slight_conformance::disruptions!("../../docs/providers/redb.md", stage; key_value FILE, messaging FILE);
