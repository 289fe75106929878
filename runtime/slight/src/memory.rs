//! How much memory there is for this process.

use std::{
    fs,
    path::{Path, PathBuf},
};

use slight_config::TotalMemory;

/// What the process may have in all, and what that is of, as a sentence.
pub struct Memory {
    /// In bytes; no bound where it is a part of what nobody knows.
    pub total: usize,
    /// For the log and `slight check`.
    pub described: String,
}

impl Memory {
    /// What a setting comes to on this machine.
    pub fn of(setting: TotalMemory) -> Self {
        let (available, from) = available();
        let total = setting.bytes(available).map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        let described = match (total, available, setting) {
            (Some(total), Some(available), TotalMemory::Percent(percent)) => {
                format!("{}, {percent}% of the {} of the {from}", mebibytes(total as u64), mebibytes(available))
            }
            (Some(total), Some(available), _) if total as u64 > available => {
                format!("{}, more than the {from} has ({})", mebibytes(total as u64), mebibytes(available))
            }
            (Some(total), ..) => mebibytes(total as u64),
            (None, ..) => "no bound, since how much there is is not known here; set it to a size".to_owned(),
        };
        Self { total: total.unwrap_or(usize::MAX), described }
    }
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}

/// The memory of the machine, or of the control group where that is less, in bytes; and which it is.
fn available() -> (Option<u64>, &'static str) {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| machine(&text));
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    match (machine, control_group(Path::new("/sys/fs/cgroup"), &groups)) {
        (Some(machine), Some(group)) if group < machine => (Some(group), "control group"),
        (None, Some(group)) => (Some(group), "control group"),
        (machine, _) => (machine, "machine"),
    }
}

/// From `MemTotal:       8023456 kB`.
fn machine(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes << 10)
}

/// The least that a control group of the process, or one above it, allows. Of the second version `0::/path` is the group;
/// of the first, `4:memory:/path`.
fn control_group(mounted: &Path, groups: &str) -> Option<u64> {
    let limits = groups.lines().flat_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, group) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let (base, files) = match controllers {
            "" => (mounted.to_owned(), &["memory.max", "memory.high"][..]),
            named if named.split(',').any(|name| name == "memory") => {
                (mounted.join("memory"), &["memory.limit_in_bytes"][..])
            }
            _ => return Vec::new(),
        };
        let group = group.trim_start_matches('/');
        // Within a container the path may be that on the host, and only the top be there.
        let places = Path::new(group).ancestors().map(|above| base.join(above));
        let files = places.flat_map(|place: PathBuf| files.iter().map(move |file| place.join(file)));
        files.filter_map(|file| fs::read_to_string(file).ok()?.trim().parse().ok()).collect()
    });
    limits.min()
}

/// Gives back to the system what the C library's allocator keeps of large values, now and then: it would count against
/// `limits.total-memory` for ever.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn give_back_what_is_free() {
    use std::{thread, time::Duration};

    /// A process with less has nothing that is worth it.
    const SMALL: usize = 64 << 20;
    /// What has to come of it for the next time to be soon.
    const GAIN: usize = 16 << 20;
    const SOON: Duration = Duration::from_secs(1);
    const LATE: Duration = Duration::from_secs(30);

    let give_back = || {
        let Some(resident) = slight_runtime::Resident::open() else { return };
        let (read, mut wait) = (|| resident.read().unwrap_or_default(), SOON);
        loop {
            thread::sleep(wait);
            let before = read();
            if before < SMALL {
                wait = SOON;
                continue;
            }
            trim();
            wait = if before.saturating_sub(read()) >= GAIN { SOON } else { LATE.min(wait * 2) };
        }
    };
    if let Err(error) = thread::Builder::new().name("trim".into()).spawn(give_back) {
        tracing::debug!("memory that is free stays with the process: {error}");
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "a call of the C library, for which there is no safe one")]
fn trim() {
    // SAFETY: it may be called at any time, from any thread.
    unsafe { libc::malloc_trim(0) };
}

/// Other allocators are left to themselves.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn give_back_what_is_free() {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_of_the_machine_is_read() {
        assert_eq!(machine("MemTotal:        8023456 kB\nMemFree: 1 kB\n"), Some(8_023_456 << 10));
        assert_eq!(machine("nothing"), None);
    }

    #[test]
    fn the_least_of_all_groups_above_holds() {
        let mounted = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = mounted.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let limit = |groups| control_group(mounted.path(), groups);
        assert_eq!(limit("0::/a/b\n"), None);
        write("a/b/memory.max", "max\n");
        write("a/memory.max", "3000\n");
        write("a/b/memory.high", "4000\n");
        assert_eq!(limit("0::/a/b\n"), Some(3000));
        write("memory/memory.limit_in_bytes", "2000\n");
        assert_eq!(limit("5:cpu,memory:/of/the/host\n3:pids:/a\n"), Some(2000));
        assert_eq!(limit("0::/a/b\n4:memory:/\n"), Some(2000));
    }

    #[test]
    fn what_is_not_known_bounds_nothing_and_a_size_needs_no_knowledge() {
        assert_eq!(TotalMemory::Percent(75).bytes(None), None);
        assert_eq!(TotalMemory::Percent(75).bytes(Some(1000)), Some(750));
        assert_eq!(Memory::of(TotalMemory::Bytes(1 << 30)).total, 1 << 30);
    }
}
