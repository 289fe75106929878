//! How many files and sockets the process may have open.

use slight_config::Limits;

/// Raises what the process may have open to what it may ask for, since shells and service managers mostly begin with
/// 1,024; and leaves a quarter of it to backends and files, so that clients cannot use up all.
pub fn make_room(limits: &mut Limits) {
    let Ok(open_files) = rlimit::increase_nofile_limit(u64::MAX) else { return };
    let most = u32::try_from(open_files / 4 * 3).unwrap_or(u32::MAX).max(1);
    if limits.connections > most {
        tracing::warn!(
            "limits.connections is {}, but the process may open only {open_files} files: {most} connections are \
             accepted at a time; raise the limit of open files (ulimit -n)",
            limits.connections
        );
        limits.connections = most;
    }
}
