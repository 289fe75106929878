//! What operators do to the directory of the database while it is in use.

use std::{fs, path::PathBuf, sync::Arc};

use slight_conformance::disruption::{Disruption, Stage, Starting, done, remove_directory};
use slight_provider_sled::{KeyValueSettings, Settings, Sled};
use tempfile::TempDir;

struct Disk(TempDir);

impl Disk {
    fn directory(&self) -> PathBuf {
        self.0.path().join("slight.sled")
    }

    fn moved(&self) -> PathBuf {
        self.0.path().join("moved.sled")
    }
}

fn stage() -> Starting<Disk> {
    Box::pin(async {
        let disk = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).map_err(|error| error.to_string())?;
        let disk = Disk(disk);
        let settings = Settings { path: disk.directory(), key_value: KeyValueSettings::default() };
        let sled = Sled::new(settings).map_err(|error| error.to_string())?;
        Ok(Stage { provider: Arc::new(sled), backend: disk })
    })
}

/// One directory holds everything.
const DIRECTORY: &[Disruption<Disk>] = &[
    Disruption::new("directory of the database", "removed", |disk: &Disk, _| done(remove_directory(&disk.directory())))
        .loses_what_it_held()
        .everywhere(),
    Disruption::new("directory of the database", "moved away and back", |disk: &Disk, _| {
        done(fs::rename(disk.directory(), disk.moved()))
    })
    .until(|disk: &Disk, _| {
        done(remove_directory(&disk.directory()).and_then(|()| fs::rename(disk.moved(), disk.directory())))
    })
    .everywhere(),
    Disruption::new("directory of the database", "moved away, a file in its place", |disk: &Disk, _| {
        done(fs::rename(disk.directory(), disk.moved()).and_then(|()| fs::write(disk.directory(), "a file")))
    })
    .until(|disk: &Disk, _| {
        done(fs::remove_file(disk.directory()).and_then(|()| fs::rename(disk.moved(), disk.directory())))
    })
    .everywhere(),
];

slight_conformance::disruptions!("../../docs/providers/sled.md", stage; key_value DIRECTORY);
