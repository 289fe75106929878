use std::{path::PathBuf, time::Duration};

use schemars::JsonSchema;
use serde::Deserialize;
use slight_capabilities::{
    Connect, Error, Result, Secret,
    units::{duration, size},
};

use crate::{
    location::Location,
    upload::{LARGEST_PART, SMALLEST_PART},
};

/// The section `[providers.X]` with `type = "s3"`.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Settings {
    /// The region, as `eu-central-1`. Without it that of the environment or the profile; behind an `endpoint`, `us-east-1`.
    pub(crate) region: Option<String>,
    /// Where a server other than Amazon's is, as `http://127.0.0.1:9000`.
    pub(crate) endpoint: Option<String>,
    /// Whether the bucket stands in the path of URLs instead of in the host's name. Without it: only behind an `endpoint`.
    pub(crate) path_style: Option<bool>,
    /// The id of an access key. Without it credentials are looked for where AWS's own tools do.
    pub(crate) access_key_id: Option<String>,
    /// The secret that belongs to `access-key-id`.
    pub(crate) secret_access_key: Option<Secret>,
    /// The session token of temporary keys.
    pub(crate) session_token: Option<Secret>,
    /// The profile in AWS's shared files to take region and credentials from: these from nowhere else.
    pub(crate) profile: Option<String>,
    /// When to connect first: `eager` at the start, which fails if a bucket cannot be reached, or `lazy` with the first use.
    #[serde(default)]
    pub(crate) connect: Connect,
    /// How long one call may take, with all its attempts. A request with a body has a second more for each 128 KiB of it; a
    /// stream has as long for each of its requests.
    #[serde(default = "default_timeout", with = "duration")]
    #[schemars(schema_with = "duration::schema")]
    pub(crate) timeout: Duration,
    /// A PEM file with certificates to trust, instead of those of the system. A relative path starts at the directory of the
    /// configuration file.
    #[schemars(extend("format" = "path"))]
    pub(crate) ca_file: Option<PathBuf>,
    /// How key-value is kept.
    #[serde(default)]
    pub(crate) key_value: KeyValueSettings,
    /// How blobs are kept.
    #[serde(default)]
    pub(crate) blob: BlobSettings,
}

#[derive(Clone, Deserialize, JsonSchema)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct KeyValueSettings {
    /// The S3 bucket; behind it, after a slash, what the keys in it begin with.
    pub(crate) location: String,
    /// Whether the S3 bucket is made if it is missing. Otherwise the start fails, or with `connect = "lazy"` each call.
    pub(crate) create: bool,
}

impl Default for KeyValueSettings {
    fn default() -> Self {
        Self { location: "slight-kv".to_owned(), create: false }
    }
}

#[derive(Clone, Deserialize, JsonSchema)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct BlobSettings {
    /// The S3 bucket; behind it, after a slash, what the keys in it begin with.
    pub(crate) location: String,
    /// Whether the S3 bucket is made if it is missing. Otherwise the start fails, or with `connect = "lazy"` each call.
    pub(crate) create: bool,
    /// How large the parts of large objects are: 5 MiB to 1 GiB. An object has at most 10,000, and a write holds four in
    /// memory.
    #[serde(with = "size")]
    #[schemars(schema_with = "size::schema")]
    pub(crate) part_size: u64,
    /// How old an unfinished upload in the location is when a start removes it.
    #[serde(with = "duration")]
    #[schemars(schema_with = "duration::schema")]
    pub(crate) abandoned_after: Duration,
}

impl Default for BlobSettings {
    fn default() -> Self {
        Self {
            location: "slight-blob".to_owned(),
            create: false,
            part_size: 8 << 20,
            abandoned_after: Duration::from_secs(24 * 60 * 60),
        }
    }
}

/// Below the 10 seconds that the runtime gives a call by default, so that the caller learns more than that it was late.
fn default_timeout() -> Duration {
    Duration::from_secs(8)
}

impl Settings {
    /// Checks what the schema says of single values, for callers that have no schema, and what must fit together.
    pub(crate) fn check(&self) -> Result<()> {
        let key_value = Location::parse("key-value.location", &self.key_value.location)?;
        let blob = Location::parse("blob.location", &self.blob.location)?;
        if key_value.overlaps(&blob) {
            return Err(Error::invalid(
                "key-value.location and blob.location overlap; give them two S3 buckets, or two prefixes in one",
            ));
        }
        if self.access_key_id.is_some() != self.secret_access_key.is_some() {
            return Err(Error::invalid("access-key-id and secret-access-key go together: one of them is missing"));
        }
        if self.session_token.is_some() && self.access_key_id.is_none() {
            return Err(Error::invalid("session-token is set, but access-key-id and secret-access-key are not"));
        }
        if self.profile.is_some() && self.access_key_id.is_some() {
            return Err(Error::invalid("profile and access-key-id are both set; leave one out"));
        }
        if !(SMALLEST_PART..=LARGEST_PART).contains(&self.blob.part_size) {
            return Err(Error::invalid("blob.part-size must be between 5MiB and 1GiB"));
        }
        self.check_endpoint()
    }

    fn check_endpoint(&self) -> Result<()> {
        let Some(endpoint) = &self.endpoint else { return Ok(()) };
        let host = endpoint.strip_prefix("http://").or_else(|| endpoint.strip_prefix("https://"));
        // Its text stays out of the message: it may hold a password.
        match host {
            Some(host) if !host.is_empty() && !host.contains(['@', '?', '#', ' ']) => Ok(()),
            _ => Err(Error::invalid(
                "endpoint must be a URL such as http://127.0.0.1:9000 or https://s3.example.com, without user and password",
            )),
        }
    }
}
