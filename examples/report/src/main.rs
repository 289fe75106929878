//! A command that uses three capabilities: it books sales in key-value, writes a report into blob storage,
//! and announces it on a topic. It prints what it did, the same on every backend and every time.

mod announcement;
mod report;
mod sales;

use std::process::ExitCode;

wit_bindgen::generate!({
    path: [
        "wit/io-0.2.2",
        "wit/keyvalue-0.2.0-draft2",
        "wit/blobstore-0.2.0-draft",
        "wit/messaging-0.2.0-draft",
    ],
    inline: "
        package example:report;

        world report {
            include wasi:keyvalue/imports@0.2.0-draft2;
            include wasi:blobstore/imports@0.2.0-draft;
            include wasi:messaging/imports@0.2.0-draft;
        }
    ",
    world: "example:report/report",
    generate_all,
});

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("report: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let booked = sales::book()?;
    println!("booked {booked} sales");
    let totals = sales::totals()?;
    for (item, quantity) in &totals {
        println!("  {item}: {quantity}");
    }
    let size = report::write(&totals)?;
    println!("wrote {}/{}, {size} bytes", report::CONTAINER, report::OBJECT);
    announcement::send(size)?;
    println!("announced on topic {}", announcement::TOPIC);
    Ok(())
}
