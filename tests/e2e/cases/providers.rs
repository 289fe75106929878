//! Each example does as its README says on every provider that offers what it needs: with the TOML beside it, the same
//! component, and real servers.

use std::{any::Any, collections::BTreeSet, fs};

use slight_e2e::{check, root, run};
use slight_services::{Azurite, Kind, Missing, NATS, REDIS, S3_ADMIN, S3Keys, SEAWEEDFS, Server, present};

use crate::readme;

macro_rules! examples {
    ($($test:ident: $example:literal, $file:literal;)*) => {
        const FILES: &[(&str, &str)] = &[$(($example, $file)),*];

        $(
            #[tokio::test]
            async fn $test() {
                holds($example, $file).await;
            }
        )*
    };
}

examples! {
    the_guestbook_on_aws: "guestbook", "aws.toml";
    the_guestbook_on_azure: "guestbook", "azure.toml";
    the_guestbook_on_nats: "guestbook", "nats.toml";
    the_guestbook_on_redb: "guestbook", "redb.toml";
    the_guestbook_on_redis: "guestbook", "redis.toml";
    the_guestbook_on_sled: "guestbook", "sled.toml";
    photos_on_aws: "photos", "aws.toml";
    photos_on_azure: "photos", "azure.toml";
    photos_on_nats: "photos", "nats.toml";
    photos_on_file: "photos", "file.toml";
    orders_on_aws: "orders", "aws.toml";
    orders_on_azure: "orders", "azure.toml";
    orders_on_nats: "orders", "nats.toml";
    orders_on_redb: "orders", "redb.toml";
    orders_on_redis: "orders", "redis.toml";
    report_on_aws: "report", "aws.toml";
    report_on_azure: "report", "azure.toml";
    report_on_nats: "report", "nats.toml";
    report_on_redb_and_file: "report", "redb+file.toml";
    report_on_redis_and_file: "report", "redis+file.toml";
}

/// What stands in the files for a server that users have, and what starts one for the test.
const SERVERS: &[(&str, Start)] = &[
    ("nats://127.0.0.1:4222", || started(&NATS)),
    ("redis://127.0.0.1:6379", || started(&REDIS)),
    ("region = \"eu-central-1\"", s3),
    ("${env:AZURE_STORAGE_CONNECTION_STRING}", azure),
];

type Start = fn() -> Result<Started, Missing>;

/// A server that runs as long as this value lives.
struct Started {
    /// What to write instead.
    instead: String,
    _server: Box<dyn Any>,
}

fn started(kind: &'static Kind) -> Result<Started, Missing> {
    let server = Server::start(kind, &[])?;
    Ok(Started { instead: server.url(), _server: Box::new(server) })
}

fn s3() -> Result<Started, Missing> {
    let server = Server::start(&SEAWEEDFS, &[])?;
    let (endpoint, S3Keys { id, secret }) = (server.url(), S3_ADMIN);
    let instead = format!("endpoint = \"{endpoint}\"\naccess-key-id = \"{id}\"\nsecret-access-key = \"{secret}\"");
    Ok(Started { instead, _server: Box::new(server) })
}

fn azure() -> Result<Started, Missing> {
    let server = Azurite::start(&[])?;
    Ok(Started { instead: server.connection_string(), _server: Box::new(server) })
}

async fn holds(example: &'static str, file: &str) {
    let mut toml = fs::read_to_string(root().join("examples").join(example).join(file)).unwrap();
    let mut servers = Vec::new();
    for (written, start) in SERVERS.iter().filter(|(written, _)| toml.contains(written)).collect::<Vec<_>>() {
        let Some(started) = present(start()) else { return };
        toml = toml.replace(written, &started.instead);
        servers.push(started);
    }
    let checked = check(example).toml(&toml).end().await;
    assert_eq!(checked.code, Some(0), "{checked:?}");
    let found = ["answers", "would be created"].iter().any(|state| checked.stdout.contains(state));
    let in_memory = checked.stdout.split_whitespace().any(|word| word == "memory");
    assert!(found && !in_memory, "{checked:?}");
    let ended = readme::holds(example, &toml).await;
    if example == "orders" {
        assert_eq!(ended.stdout, "confirmed 3 x pears\n");
    }
}

#[test]
fn every_file_beside_an_example_is_tried() {
    let mut found = BTreeSet::new();
    for example in ["guestbook", "photos", "orders", "report"] {
        for entry in fs::read_dir(root().join("examples").join(example)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if name.ends_with(".toml") && name != "Cargo.toml" && name != "memory.toml" {
                found.insert((example, name));
            }
        }
    }
    let tried: BTreeSet<_> = FILES.iter().map(|(example, file)| (*example, (*file).to_owned())).collect();
    assert_eq!(tried, found, "the files that are tried, and those that are there");
}

#[tokio::test]
async fn paths_start_at_the_folder_of_the_file_wherever_slight_runs() {
    let toml = fs::read_to_string(root().join("examples/guestbook/redb.toml")).unwrap();
    let invocation = run("guestbook").file("etc/slight.toml", toml);
    let path = invocation.path("etc/slight.toml");
    let app = invocation.arg("-c").arg(path).start().await;
    assert!(app.dir().join("etc/data/guestbook.redb").is_file());
    assert!(!app.dir().join("data").exists());
}
