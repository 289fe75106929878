use std::{
    env,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use slight_capabilities::{Bucket, Error, Result};
use tokio::runtime::Runtime;

use crate::{Outcome, scratch::temporary};

/// Names the directory of the small disk to the process that has it.
const DISK: &str = "SLIGHT_SMALL_DISK";

/// How the process ends that could not have a disk of its own.
const NO_DISK: i32 = 97;

/// Runs a test on a file system of a few mebibytes: in a process of its own, that alone sees it. Where the system does not
/// let it, the test is skipped, which is said.
///
/// `test` is the name of the test, as `cargo test` takes it, and `parent` a directory for temporary data.
///
/// # Errors
/// That of the test.
pub fn on_a_small_disk(
    test: &str,
    parent: &str,
    mebibytes: u32,
    body: impl AsyncFnOnce(&Path) -> Result<()>,
) -> Outcome {
    if let Some(disk) = env::var_os(DISK) {
        let runtime = Runtime::new().map_err(|error| error.to_string())?;
        return runtime.block_on(body(Path::new(&disk))).map_err(|error| format!("{error:?}"));
    }
    let directory = temporary(Path::new(parent)).map_err(|error| error.to_string())?;
    let program = env::current_exe().map_err(|error| error.to_string())?;
    let script = format!(
        "mount -t tmpfs -o size={mebibytes}m none \"${DISK}\" || exit {NO_DISK}; exec \"$0\" \"$1\" --exact --nocapture"
    );
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c", &script]).arg(program).arg(test);
    let status = command.env(DISK, directory.path()).status();
    match status.map(|status| (status.success(), status.code())) {
        Ok((true, _)) => Ok(()),
        // What `unshare` itself ends with, too.
        Ok((_, Some(NO_DISK))) => skipped(test),
        Ok((_, Some(1))) if !may_unshare() => skipped(test),
        Err(_) => skipped(test),
        Ok((_, code)) => Err(format!("the test on a small disk failed: {code:?}")),
    }
}

fn may_unshare() -> bool {
    Command::new("unshare").args(["--map-root-user", "--mount", "true"]).status().is_ok_and(|status| status.success())
}

fn skipped(test: &str) -> Outcome {
    eprintln!("{test}: skipped, since this system does not let a test mount a small file system");
    Ok(())
}

/// Fills the disk of a directory to the last byte with one file; removing that makes room again.
///
/// # Errors
/// Where the file cannot be made.
pub fn fill(directory: &Path) -> io::Result<PathBuf> {
    let path = directory.join("filler");
    let mut file = File::options().create(true).append(true).open(&path)?;
    for size in [64 * 1024, 4096, 1] {
        let piece = vec![b'x'; size];
        while file.write_all(&piece).is_ok() {}
    }
    Ok(path)
}

/// What came of writing while the disk filled up.
pub struct Filled {
    /// The file that takes the room.
    pub filler: PathBuf,
    /// The keys that were acknowledged.
    pub acknowledged: Vec<String>,
    /// What the first one was refused with that was not.
    pub full: Error,
}

/// Fills the disk of a directory while entries of 50 kB are written to a bucket on it, until one is refused.
///
/// # Errors
/// Where the disk cannot be filled.
pub async fn fill_while_writing(directory: &Path, bucket: Arc<dyn Bucket>) -> io::Result<Filled> {
    let writing = tokio::spawn(async move {
        let (mut acknowledged, mut number) = (Vec::new(), 0);
        loop {
            let key = format!("{number}");
            match bucket.set(&key, vec![b'x'; 50_000].into()).await {
                Ok(()) => acknowledged.push(key),
                Err(full) => return (acknowledged, full),
            }
            number += 1;
        }
    });
    let directory = directory.to_owned();
    let filler = tokio::task::spawn_blocking(move || fill(&directory)).await??;
    let (acknowledged, full) = writing.await?;
    Ok(Filled { filler, acknowledged, full })
}

/// All files in a directory of files, as a process that is killed at this moment leaves them.
///
/// # Errors
/// Where one cannot be read.
pub fn image(directory: &Path) -> io::Result<Vec<(PathBuf, Vec<u8>)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(image(&path)?);
        } else {
            let content = fs::read(&path)?;
            files.push((path, content));
        }
    }
    Ok(files)
}
