//! Objects that are larger than the memory that the host may take, up and down through a guest.

use std::{env, time::Duration};

use http::Method;
use slight_e2e::{empty, run};
use slight_services::{Azurite, NATS, S3_ADMIN, SEAWEEDFS, Server, present};

use crate::support::{MIB, generated, read_generated};

/// What the host may take at its peak, the component and the engine's pool included.
const PEAK: u64 = 128 * MIB;

/// How long an upload may take: all the servers may be at work at a time, on a few cores and one disk.
const LONGEST: Duration = Duration::from_secs(900);

/// The size of the object: 256 MiB, or what `SLIGHT_TEST_LARGE_MIB` says.
fn size() -> u64 {
    let mebibytes = env::var("SLIGHT_TEST_LARGE_MIB").ok();
    mebibytes.map_or(256, |number| number.parse().expect("SLIGHT_TEST_LARGE_MIB is a number")) * MIB
}

async fn streams(toml: &str) {
    let (size, limits) = (size(), "limits = { timeout = \"1h\", backend-timeout = \"2m\", body = \"1TiB\" }");
    let app = run("blob").toml(&format!("{limits}\nblob = {{ \"*\" = \"store\" }}\n{toml}")).start().await;
    let mut connection = app.connect().await;
    assert_eq!(app.put("/containers/c", "").await.status, 201);
    assert_eq!(connection.upload("/objects/c/large", generated(size), LONGEST).await.status, 201);
    let stored = app.peak_memory();
    let response = connection.send(Method::GET, "/objects/c/large", empty()).await;
    assert_eq!(read_generated(response.into_body()).await, size);
    let peak = app.peak_memory();
    eprintln!("{} MiB: the host's peak was {} MiB up, {} MiB in all", size / MIB, stored / MIB, peak / MIB);
    assert!(peak < PEAK, "the host took {peak} bytes for an object of {size}");
}

#[tokio::test]
async fn a_large_object_streams_through_file() {
    streams("providers.store = { type = \"file\", path = \"data\" }").await;
}

#[tokio::test]
async fn a_large_object_streams_through_s3() {
    let Some(server) = present(Server::start(&SEAWEEDFS, &[])) else { return };
    let (endpoint, id, secret) = (server.url(), S3_ADMIN.id, S3_ADMIN.secret);
    streams(&format!(
        "[providers.store]\ntype = \"s3\"\nendpoint = \"{endpoint}\"\naccess-key-id = \"{id}\"\n\
         secret-access-key = \"{secret}\"\nblob.create = true\nkey-value.create = true"
    ))
    .await;
}

#[tokio::test]
async fn a_large_object_streams_through_azure() {
    let Some(server) = present(Azurite::start(&[])) else { return };
    streams(&format!(
        "providers.store = {{ type = \"azure\", connection-string = \"{}\" }}",
        server.connection_string()
    ))
    .await;
}

#[tokio::test]
async fn a_large_object_streams_through_nats() {
    let Some(server) = present(Server::start(&NATS, &[])) else { return };
    streams(&format!("providers.store = {{ type = \"nats\", url = \"{}\" }}", server.url())).await;
}
