use std::{
    env,
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

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
pub fn on_a_small_disk(test: &str, parent: &str, mebibytes: u32, body: impl FnOnce(PathBuf) -> Outcome) -> Outcome {
    if let Some(disk) = env::var_os(DISK) {
        return body(disk.into());
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
pub fn fill(directory: &Path) -> std::io::Result<PathBuf> {
    let path = directory.join("filler");
    let mut file = File::options().create(true).append(true).open(&path)?;
    for size in [64 * 1024, 4096, 1] {
        let piece = vec![b'x'; size];
        while file.write_all(&piece).is_ok() {}
    }
    Ok(path)
}

/// All files in a directory of files, as a process that is killed at this moment leaves them.
///
/// # Errors
/// Where one cannot be read.
pub fn image(directory: &Path) -> std::io::Result<Vec<(PathBuf, Vec<u8>)>> {
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
