//! The s3 provider does what the contracts and its page say, on SeaweedFS.

use async_trait::async_trait;
use aws_sdk_s3::{
    Client,
    config::{BehaviorVersion, Credentials, Region},
};
use bytes::Bytes;
use serde_json::{Value, json};
use slight_capabilities::{Error, Result};
use slight_conformance::{Connection, Harness, Killable, SECRET, Section};
use slight_provider_s3::kind;
use slight_services::{S3_ADMIN, SEAWEEDFS, Server, shared_url};

struct OnSeaweedFs;

#[async_trait]
impl Harness for OnSeaweedFs {
    async fn connect(&self) -> Result<Connection> {
        let url = match shared_url(&SEAWEEDFS) {
            Err(missing) => return Ok(Connection::Missing(missing.to_string())),
            Ok(url) => url,
        };
        // SeaweedFS has conditional writes of one key that meet wait for whole seconds.
        Ok(Connection::Ready(kind().connect(settings(&url, "30s")).await?))
    }

    fn section(&self) -> Option<Section> {
        let real = settings(&shared_url(&SEAWEEDFS).ok()?, "30s");
        let mut nobody = settings("http://127.0.0.1:1", "5s");
        nobody.as_object_mut()?.insert("secret-access-key".to_owned(), SECRET.into());
        Some(Section::new(kind(), real).with_nobody(nobody))
    }

    async fn make_location(&self, object: &str, content: Bytes) -> Option<Result<String>> {
        let made = async {
            let client = client()?;
            client.create_bucket().bucket(BUCKET).send().await.map_err(failed)?;
            client.put_object().bucket(BUCKET).key(object).body(content.into()).send().await.map_err(failed)?;
            Ok(BUCKET.to_owned())
        };
        Some(made.await)
    }

    async fn remove_location(&self, location: &str) -> Result<()> {
        client()?.delete_bucket().bucket(location).send().await.map(drop).map_err(failed)
    }
}

fn server() -> std::result::Result<Killable, String> {
    let connect = |server: &Server| kind().connect(settings(&server.url(), "5s"));
    let means = [Server::kill, Server::restart, Server::pause, Server::resume];
    let killable = |server| Killable::silenced(server, connect, means);
    Server::start(&SEAWEEDFS, &[]).map(killable).map_err(|missing| missing.to_string())
}

fn settings(url: &str, timeout: &str) -> Value {
    json!({
        "endpoint": url,
        "access-key-id": S3_ADMIN.id,
        "secret-access-key": S3_ADMIN.secret,
        "timeout": timeout,
        "key-value": { "create": true },
        "blob": { "create": true },
    })
}

const BUCKET: &str = "another-program";

/// A client past the provider.
fn client() -> Result<Client> {
    let url = shared_url(&SEAWEEDFS).map_err(failed)?;
    let keys = Credentials::new(S3_ADMIN.id, S3_ADMIN.secret, None, None, "test");
    let config = aws_sdk_s3::Config::builder().behavior_version(BehaviorVersion::latest()).endpoint_url(url);
    let config = config.region(Region::new("us-east-1")).credentials_provider(keys).force_path_style(true);
    Ok(Client::from_conf(config.build()))
}

fn failed(error: impl std::error::Error) -> Error {
    Error::other(error.to_string())
}

slight_conformance::provider!(OnSeaweedFs);
slight_conformance::key_value!(OnSeaweedFs);
slight_conformance::two_processes!(OnSeaweedFs);
slight_conformance::outage!(server; key_value blob);
slight_conformance::blob!(OnSeaweedFs);

slight_conformance::page!(kind(), include_str!("../../../docs/providers/s3.md"), || {
    shared_url(&SEAWEEDFS).map(|url| settings(&url, "30s"))
});
