use std::time::Duration;

/// Bounds on what guests may use and on how long anything may take. Every one is on by default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Memories and tables of one instance together, in bytes.
    pub memory: usize,
    /// What all instances, and the host for them, may have together, in bytes. Beyond it no memory grows, and shortly before
    /// nothing begins.
    pub total_memory: usize,
    /// One invocation (a request, a message), from its arrival to its end. A command may take as long as it needs.
    pub timeout: Duration,
    /// One call to a backend; for streams, each chunk.
    pub backend_timeout: Duration,
    /// Connections of clients open at a time; more are accepted only as others end.
    pub connections: usize,
    /// Requests served at a time; and as many messages handled.
    pub concurrency: usize,
    /// Requests waiting for an instance; one more is answered with 503.
    pub queue: usize,
    /// How long running invocations may take to finish once the host is told to stop.
    pub drain_timeout: Duration,
    /// The largest key-value value, in bytes.
    pub value: usize,
    /// The largest message, body and metadata together, in bytes.
    pub message: usize,
    /// The largest HTTP body, in either direction, in bytes.
    pub body: u64,
    /// The most that one call of the host hands back to the guest, in bytes.
    pub returned: usize,
    /// The most that one call of the host takes from the guest, in bytes as the host has them; or as much as the largest
    /// value or message, where that is more. Beyond it the guest traps.
    pub passed: usize,
    /// Lines that guests may write to the log in a second, all together; one instance half of them.
    pub log_lines: u32,
    /// The most that blobs of one instance, written before their targets are known, may occupy on disk, in bytes.
    pub spool: u64,
    /// Open resources (buckets, streams, messages and so on) of one instance.
    pub handles: usize,
}

impl Default for Limits {
    fn default() -> Self {
        const MIB: usize = 1024 * 1024;
        Self {
            memory: 256 * MIB,
            total_memory: usize::MAX,
            timeout: Duration::from_secs(30),
            backend_timeout: Duration::from_secs(10),
            connections: 4096,
            concurrency: 256,
            queue: 1024,
            drain_timeout: Duration::from_secs(30),
            value: 8 * MIB,
            message: MIB,
            body: 4 * 1024 * MIB as u64,
            returned: 32 * MIB,
            passed: 64 * MIB,
            log_lines: 1000,
            spool: 1024 * MIB as u64,
            handles: 1024,
        }
    }
}

impl Limits {
    /// What one call may pass, so that the largest value and the largest message can be.
    pub(crate) fn passed_at_most(&self) -> usize {
        /// Names, keys and handles beside the value.
        const REST: usize = 1 << 20;
        self.passed.max(self.value.max(self.message).saturating_add(REST))
    }
}
