use std::{fmt, path::PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use slight_capabilities::{Connect, Error, Result, Secret};

/// The section `[providers.X]` with `type = "nats"`.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Settings {
    /// The server, as `nats://host:4222` or `tls://…`. Of a cluster: some or all of its servers, with commas between them.
    pub(crate) url: Secret,
    /// The user to log in as, instead of one in the URL.
    pub(crate) username: Option<String>,
    /// The password to log in with, instead of one in the URL.
    pub(crate) password: Option<Secret>,
    /// The token to log in with, instead of a user.
    pub(crate) token: Option<Secret>,
    /// The seed of the NKey to log in with, instead of a user.
    pub(crate) nkey: Option<Secret>,
    /// The file with the JWT and the seed to log in with (`.creds`), instead of a user. A relative path starts at the
    /// directory of the configuration file.
    #[schemars(extend("format" = "path"))]
    pub(crate) credentials_file: Option<PathBuf>,
    /// When to connect first: `eager` at the start, which fails if that does, or `lazy` with the first use.
    #[serde(default)]
    pub(crate) connect: Connect,
    /// A PEM file with the certificates to trust, instead of those of the system. Asks for TLS. A relative path starts at
    /// the directory of the configuration file.
    #[schemars(extend("format" = "path"))]
    pub(crate) ca_file: Option<PathBuf>,
    /// A PEM file with the certificate to show to the server. Asks for TLS, and for `key-file`. A relative path starts at
    /// the directory of the configuration file.
    #[schemars(extend("format" = "path"))]
    pub(crate) certificate_file: Option<PathBuf>,
    /// A PEM file with the private key of that certificate. A relative path starts at the directory of the configuration
    /// file.
    #[schemars(extend("format" = "path"))]
    pub(crate) key_file: Option<PathBuf>,
    /// How key-value is kept.
    #[serde(default)]
    pub(crate) key_value: KeyValueSettings,
    /// How blobs are kept.
    #[serde(default)]
    pub(crate) blob: BlobSettings,
    /// How messages are kept.
    #[serde(default)]
    pub(crate) messaging: MessagingSettings,
}

/// Where the servers keep a stream.
#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Storage {
    #[default]
    File,
    Memory,
}

#[derive(Clone, Deserialize, JsonSchema)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct KeyValueSettings {
    /// The NATS key-value bucket that holds all buckets: characters of `A-Z a-z 0-9 _ -`.
    #[schemars(regex(pattern = r"^[A-Za-z0-9_-]+$"))]
    pub(crate) location: String,
    /// Whether the bucket is made if it is missing. Otherwise the start fails.
    pub(crate) create: bool,
    /// On how many servers of a cluster each entry is kept.
    #[schemars(range(min = 1, max = 5))]
    pub(crate) replicas: usize,
    /// Where the servers keep it: `file` or `memory`.
    pub(crate) storage: Storage,
    /// How many bytes it may hold. What does not fit is refused.
    #[schemars(range(min = 1))]
    pub(crate) max_bytes: Option<i64>,
}

#[derive(Clone, Deserialize, JsonSchema)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct BlobSettings {
    /// What the NATS object stores of the containers begin with: characters of `A-Z a-z 0-9 -`.
    #[schemars(regex(pattern = r"^[A-Za-z0-9-]+$"))]
    pub(crate) location: String,
    /// On how many servers of a cluster the objects of a new container are kept.
    #[schemars(range(min = 1, max = 5))]
    pub(crate) replicas: usize,
    /// Where the servers keep a new container: `file` or `memory`.
    pub(crate) storage: Storage,
    /// How many bytes a new container may hold. What does not fit is refused.
    #[schemars(range(min = 1))]
    pub(crate) max_bytes: Option<i64>,
}

#[derive(Clone, Deserialize, JsonSchema)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct MessagingSettings {
    /// The JetStream stream that holds all messages, and what their subjects begin with: characters of `A-Z a-z 0-9 _ -`.
    #[schemars(regex(pattern = r"^[A-Za-z0-9_-]+$"))]
    pub(crate) location: String,
    /// Whether the stream is made if it is missing. Otherwise the start fails.
    pub(crate) create: bool,
    /// On how many servers of a cluster each message is kept.
    #[schemars(range(min = 1, max = 5))]
    pub(crate) replicas: usize,
    /// Where the servers keep it: `file` or `memory`.
    pub(crate) storage: Storage,
    /// How many bytes of messages it may hold. Beyond that publishing fails.
    #[schemars(range(min = 1))]
    pub(crate) max_bytes: Option<i64>,
    /// After how many seconds a message is lost, whoever still waits for it; without it a message stays until every group
    /// has it.
    #[schemars(range(min = 1))]
    pub(crate) max_age_seconds: Option<u64>,
}

impl Default for KeyValueSettings {
    fn default() -> Self {
        Self { location: "slight-kv".to_owned(), create: true, replicas: 1, storage: Storage::File, max_bytes: None }
    }
}

impl Default for BlobSettings {
    fn default() -> Self {
        Self { location: "slight-blob".to_owned(), replicas: 1, storage: Storage::File, max_bytes: None }
    }
}

impl Default for MessagingSettings {
    fn default() -> Self {
        Self {
            location: "slight-msg".to_owned(),
            create: true,
            replicas: 1,
            storage: Storage::File,
            max_bytes: None,
            max_age_seconds: None,
        }
    }
}

/// The most servers that keep a copy: a limit of NATS.
const MAX_REPLICAS: usize = 5;

/// The longest location. Names of streams end at 255 characters, and those of containers hold more.
const MAX_LOCATION: usize = 100;

impl Settings {
    /// Checks what the schema says of single values, for callers that have no schema, and that they fit together.
    pub(crate) fn check(&self) -> Result<()> {
        let Self { key_value, blob, messaging, .. } = self;
        check_location("key-value", &key_value.location, "A-Z a-z 0-9 _ -")?;
        // With an underscore, the container `b_c` of the location `a` would be the container `c` of the location `a_b`.
        check_location("blob", &blob.location, "A-Z a-z 0-9 -")?;
        check_location("messaging", &messaging.location, "A-Z a-z 0-9 _ -")?;
        if ["KV_", "OBJ_", "_"].iter().any(|start| messaging.location.starts_with(start)) {
            return Err(Error::invalid(format!(
                "messaging.location is {:?}; what begins with KV_, OBJ_ or _ are names of NATS for other things",
                messaging.location
            )));
        }
        check_limits("key-value", key_value.replicas, key_value.max_bytes)?;
        check_limits("blob", blob.replicas, blob.max_bytes)?;
        check_limits("messaging", messaging.replicas, messaging.max_bytes)?;
        if messaging.max_age_seconds == Some(0) {
            return Err(Error::invalid("messaging.max-age-seconds is 0; leave it out to keep all messages"));
        }
        self.check_login()
    }

    fn check_login(&self) -> Result<()> {
        let ways = [
            ("username", self.username.is_some()),
            ("token", self.token.is_some()),
            ("nkey", self.nkey.is_some()),
            ("credentials-file", self.credentials_file.is_some()),
        ];
        let given: Vec<_> = ways.iter().filter(|(_, given)| *given).map(|(name, _)| *name).collect();
        if given.len() > 1 {
            return Err(Error::invalid(format!("{} are set; only one way to log in can be used", given.join(" and "))));
        }
        if self.username.is_some() != self.password.is_some() {
            return Err(Error::invalid("one of username and password is set without the other"));
        }
        if self.certificate_file.is_some() != self.key_file.is_some() {
            return Err(Error::invalid("one of certificate-file and key-file is set without the other"));
        }
        Ok(())
    }
}

fn check_location(capability: &str, location: &str, allowed: &str) -> Result<()> {
    let underscore = allowed.contains('_');
    let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || (underscore && byte == b'_');
    if location.is_empty() || location.len() > MAX_LOCATION || !location.bytes().all(known) {
        return Err(Error::invalid(format!(
            "{capability}.location is {location:?}; it must be 1 to {MAX_LOCATION} of the characters {allowed}"
        )));
    }
    Ok(())
}

fn check_limits(capability: &str, replicas: usize, max_bytes: Option<i64>) -> Result<()> {
    if !(1..=MAX_REPLICAS).contains(&replicas) {
        return Err(Error::invalid(format!("{capability}.replicas is {replicas}; it must be 1 to {MAX_REPLICAS}")));
    }
    if max_bytes.is_some_and(|bytes| bytes < 1) {
        return Err(Error::invalid(format!("{capability}.max-bytes is not positive; leave it out to set no limit")));
    }
    Ok(())
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").finish_non_exhaustive()
    }
}
