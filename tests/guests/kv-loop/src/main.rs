//! Prints how many nanoseconds one `get` of a small value takes, over as many rounds as the first argument says.

use std::time::Instant;

use wasi::keyvalue::store;

wit_bindgen::generate!({
    path: "../../../wit/keyvalue-0.2.0-draft",
    world: "wasi:keyvalue/imports",
    generate_all,
});

fn main() -> Result<(), store::Error> {
    let rounds: u32 = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    // The empty name is the one that every host takes.
    let bucket = store::open("")?;
    bucket.set("key", b"a value of 24 bytes, yes")?;
    let start = Instant::now();
    for _ in 0..rounds {
        bucket.get("key")?;
    }
    println!("{:.1}", start.elapsed().as_nanos() as f64 / f64::from(rounds));
    Ok(())
}
