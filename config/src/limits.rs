use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    document::{Table, Value},
    findings::Findings,
    format::{duration, parse_size, size, total},
};

const KIB: u64 = 1 << 10;
const MIB: u64 = KIB << 10;
const GIB: u64 = MIB << 10;

/// What one guest, one call and the whole process may use. Every limit is on, also when the file says nothing.
///
/// A size is a string with a unit ("64KB" is 64,000 bytes, "256MiB" is 268,435,456) or a number of bytes. A duration is
/// a string with a unit ("500ms", "30s", "2m"), at most a year.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Limits {
    /// The most that the memories and tables of one instance may take together, in bytes.
    #[serde(with = "size")]
    #[schemars(schema_with = "size::schema")]
    pub memory: u64,
    /// The most that all instances, and slight for them, may take together: a part of the memory that the machine or the
    /// process' control group has ("75%"), or a size. Beyond it no memory grows; shortly before, requests wait and then
    /// HTTP answers 503.
    #[serde(with = "total")]
    #[schemars(schema_with = "total::schema")]
    pub total_memory: TotalMemory,
    /// How long one invocation may take: a request until its response is sent, a message. A command may take as long as it
    /// needs.
    #[serde(with = "duration")]
    #[schemars(schema_with = "duration::schema")]
    pub timeout: Duration,
    /// How long one call to a backend may take; for a stream, each of its chunks.
    #[serde(with = "duration")]
    #[schemars(schema_with = "duration::schema")]
    pub backend_timeout: Duration,
    /// How many clients may be connected at a time. Beyond them, clients wait to be connected.
    #[schemars(range(min = 1))]
    pub connections: u32,
    /// How many requests may be served at a time; as many messages may be handled beside them.
    #[schemars(range(min = 1))]
    pub concurrency: u32,
    /// How many requests may wait for their turn. Beyond them, HTTP answers 503. With 0 nothing waits.
    pub queue: u32,
    /// How long running invocations may take to finish when slight is told to stop.
    #[serde(with = "duration")]
    #[schemars(schema_with = "duration::schema")]
    pub drain_timeout: Duration,
    /// The largest key-value value, in bytes.
    #[serde(with = "size")]
    #[schemars(schema_with = "size::schema")]
    pub value: u64,
    /// The largest message (body and metadata), in bytes.
    #[serde(with = "size")]
    #[schemars(schema_with = "size::schema")]
    pub message: u64,
    /// The largest HTTP body in either direction, in bytes.
    #[serde(with = "size")]
    #[schemars(schema_with = "size::schema")]
    pub body: u64,
    /// The most that one host call may hand back to the guest, in bytes.
    #[serde(with = "size")]
    #[schemars(schema_with = "size::schema")]
    pub returned: u64,
    /// The most that one host call may take from the guest, in bytes: beyond it the guest traps. As much as `value` and
    /// `message` can always be passed.
    #[serde(with = "size")]
    #[schemars(schema_with = "size::schema")]
    pub passed: u64,
    /// How many lines all guests may write to the log in a second; one instance half of them. A line of more than 1 KiB
    /// counts as several.
    #[schemars(range(min = 1))]
    pub log_lines: u32,
    /// The most that the blobs of one instance may take on the host's disk when the guest writes them before it says
    /// where to, in bytes.
    #[serde(with = "size")]
    #[schemars(schema_with = "size::schema")]
    pub spool: u64,
    /// How many resources (buckets, streams, requests and the like) one instance may hold open.
    #[schemars(range(min = 1))]
    pub handles: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 256 * MIB,
            total_memory: TotalMemory::Percent(75),
            timeout: Duration::from_secs(30),
            backend_timeout: Duration::from_secs(10),
            connections: 4096,
            concurrency: 256,
            queue: 1024,
            drain_timeout: Duration::from_secs(30),
            value: 8 * MIB,
            message: MIB,
            body: 4 * GIB,
            returned: 32 * MIB,
            passed: 64 * MIB,
            log_lines: 1000,
            spool: GIB,
            handles: 1024,
        }
    }
}

/// The memory of the whole process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TotalMemory {
    /// So much of what there is: 1 to 100.
    Percent(u8),
    /// So many bytes.
    Bytes(u64),
}

impl TotalMemory {
    /// In bytes, where there are `available`; none if it is a part of nobody knows what.
    pub fn bytes(self, available: Option<u64>) -> Option<u64> {
        match self {
            Self::Percent(percent) => available.map(|bytes| bytes / 100 * u64::from(percent)),
            Self::Bytes(bytes) => Some(bytes),
        }
    }
}

/// The size of one page of a memory, and so of the smallest one.
const PAGE: u64 = 64 * KIB;

/// A number below is hardly meant in bytes.
const FEWEST_BYTES: i64 = 1 << 10;

/// What the schema cannot say of sizes: a memory holds a page, and a small number has a unit.
pub(crate) fn check(limits: &Table, findings: &mut Findings) {
    for key in ["memory", "total-memory", "value", "message", "body", "returned", "passed", "spool"] {
        let Some(node) = limits.get(key) else { continue };
        let bytes = match &node.value {
            Value::Integer(bytes @ 1..FEWEST_BYTES) => {
                let sentence = format!(
                    "{key:?} is {bytes} bytes, since a number has no unit; write \"{bytes}MiB\" or \"{bytes}KiB\", or \
                     \"{bytes}B\" if it is meant"
                );
                findings.mistake(node.span.clone(), sentence);
                continue;
            }
            Value::Integer(bytes) => u64::try_from(*bytes).ok(),
            _ => node.text().and_then(|text| parse_size(text).ok()),
        };
        if key == "memory" && bytes.is_some_and(|bytes| (1..PAGE).contains(&bytes)) {
            let sentence = "\"memory\" must be at least \"64KiB\", which is one page: no instance has less";
            findings.mistake(node.span.clone(), sentence);
        }
    }
}
