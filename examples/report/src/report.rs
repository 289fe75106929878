//! The report: an object of comma-separated values.

use crate::wasi::blobstore::blobstore;
use crate::wasi::blobstore::container::Container;
use crate::wasi::blobstore::types::OutgoingValue;
use crate::wasi::io::streams::{OutputStream, StreamError};
use std::collections::BTreeMap;

pub const CONTAINER: &str = "reports";
pub const OBJECT: &str = "sales.csv";

/// The most that one call of `blocking-write-and-flush` takes.
const CHUNK: usize = 4096;

/// Writes the totals, replacing an older report; the size that the container then has for it.
pub fn write(totals: &BTreeMap<String, u64>) -> Result<u64, String> {
    let mut report = String::from("item,quantity\n");
    for (item, quantity) in totals {
        report.push_str(&format!("{item},{quantity}\n"));
    }

    let container = open()?;
    let value = OutgoingValue::new_outgoing_value();
    container.write_data(OBJECT, &value)?;
    let out = value.outgoing_value_write_body().map_err(|()| "the report takes no body")?;
    write_all(&out, report.as_bytes())?;
    // The stream is the value's child and has to go first. Before `finish`, nobody sees the report.
    drop(out);
    OutgoingValue::finish(value)?;
    Ok(container.object_info(OBJECT)?.size)
}

/// Opens the container, and makes it the first time.
fn open() -> Result<Container, String> {
    if blobstore::container_exists(CONTAINER)? {
        return blobstore::get_container(CONTAINER);
    }
    // Another copy of this program may be quicker; then it is there.
    blobstore::create_container(CONTAINER).or_else(|_| blobstore::get_container(CONTAINER))
}

fn write_all(out: &OutputStream, bytes: &[u8]) -> Result<(), String> {
    for chunk in bytes.chunks(CHUNK) {
        out.blocking_write_and_flush(chunk).map_err(|error| match error {
            StreamError::Closed => "the report's body is closed".to_owned(),
            StreamError::LastOperationFailed(error) => error.to_debug_string(),
        })?;
    }
    Ok(())
}
