use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use slight_capabilities::{Connect, Error, Result, Secret, units::duration};

use crate::location;

/// The section `[providers.X]` with `type = "azure"`.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Settings {
    /// The name of the storage account. A connection string may name it as well.
    pub(crate) account: Option<String>,
    /// An access key of the account, as the portal shows it.
    pub(crate) key: Option<Secret>,
    /// A shared access signature of the account, instead of a key.
    pub(crate) sas: Option<Secret>,
    /// A connection string, as the portal shows it, or `UseDevelopmentStorage=true` for Azurite at its own ports.
    pub(crate) connection_string: Option<Secret>,
    /// Whose identity to sign in with where there is no key and no signature: the one that Azure manages for the machine, the
    /// one that Kubernetes gives to the workload, or the one that is signed in to the command line `az`.
    pub(crate) identity: Option<Identity>,
    /// The client ID of a managed identity that is not the machine's own, or of the workload instead of `AZURE_CLIENT_ID`.
    pub(crate) client_id: Option<String>,
    /// The URL of the blobs, where it does not follow from the account: `https://<account>.blob.core.windows.net`.
    pub(crate) blob_endpoint: Option<String>,
    /// The URL of the queues, where it does not follow from the account: `https://<account>.queue.core.windows.net`.
    pub(crate) queue_endpoint: Option<String>,
    /// How long a call may take, with all that it sends. Less than `limits.backend-timeout`, so that its error is told.
    #[serde(default = "default_timeout", with = "duration")]
    #[schemars(schema_with = "duration::schema")]
    pub(crate) timeout: Duration,
    /// When to connect first: `eager` at the start, which fails if that does, or `lazy` with the first use.
    #[serde(default)]
    pub(crate) connect: Connect,
    /// Where key-value is kept.
    #[serde(default)]
    pub(crate) key_value: KeyValueSettings,
    /// Where blobs are kept.
    #[serde(default)]
    pub(crate) blob: BlobSettings,
    /// Where messages are kept.
    #[serde(default)]
    pub(crate) messaging: MessagingSettings,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Identity {
    Managed,
    Workload,
    AzureCli,
}

#[derive(Clone, Deserialize, JsonSchema)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct KeyValueSettings {
    /// The container that the entries are in: 3 to 63 characters of `a-z 0-9 -`.
    #[schemars(regex(pattern = r"^[a-z0-9](-?[a-z0-9]){2,62}$"))]
    pub(crate) location: String,
    /// Whether to make the container at the start if it is missing.
    pub(crate) create: bool,
}

impl Default for KeyValueSettings {
    fn default() -> Self {
        Self { location: "slight-kv".to_owned(), create: true }
    }
}

#[derive(Clone, Deserialize, JsonSchema)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct BlobSettings {
    /// The container of Azure that the guests' containers are in: 3 to 63 characters of `a-z 0-9 -`.
    #[schemars(regex(pattern = r"^[a-z0-9](-?[a-z0-9]){2,62}$"))]
    pub(crate) location: String,
    /// Whether to make the container of Azure at the start if it is missing.
    pub(crate) create: bool,
}

impl Default for BlobSettings {
    fn default() -> Self {
        Self { location: "slight-blob".to_owned(), create: true }
    }
}

#[derive(Clone, Deserialize, JsonSchema)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct MessagingSettings {
    /// What the names of the queues begin with, and the container for messages that are too large for a queue: 3 to 20
    /// characters of `a-z 0-9 -`.
    #[schemars(regex(pattern = r"^[a-z0-9](-?[a-z0-9]){2,19}$"))]
    pub(crate) location: String,
    /// Whether to make the container at the start if it is missing. Queues are made with their groups in any case.
    pub(crate) create: bool,
    /// How long publishers go by a list of a topic's groups, and so how long making a group takes. The same for all that
    /// share a location; longer costs fewer requests.
    #[serde(with = "duration")]
    #[schemars(schema_with = "duration::schema")]
    pub(crate) group_cache: Duration,
}

impl Default for MessagingSettings {
    fn default() -> Self {
        Self { location: "slight-msg".to_owned(), create: true, group_cache: Duration::from_secs(2) }
    }
}

fn default_timeout() -> Duration {
    Duration::from_secs(8)
}

impl Settings {
    /// Checks what the schema says of single values, for callers that have no schema.
    pub(crate) fn check(&self) -> Result<()> {
        let locations = [
            ("key-value", &self.key_value.location, location::MAX_NAME),
            ("blob", &self.blob.location, location::MAX_NAME),
            ("messaging", &self.messaging.location, crate::messaging::MAX_PREFIX),
        ];
        for (capability, name, most) in &locations {
            if !location::is_name(name) || name.len() > *most {
                return Err(Error::invalid(format!(
                    "{capability}.location is {name:?}; it must be 3 to {most} characters of a-z 0-9 and single hyphens \
                     between them"
                )));
            }
        }
        for (number, (capability, name, _)) in locations.iter().enumerate() {
            if let Some((other, ..)) = locations.iter().take(number).find(|(_, taken, _)| taken == name) {
                return Err(Error::invalid(format!(
                    "{other}.location and {capability}.location are both {name:?}; what they hold would meet: give each a \
                     container of its own"
                )));
            }
        }
        if self.messaging.group_cache >= self.timeout {
            return Err(Error::invalid(
                "messaging.group-cache must be less than timeout: a group is made within one call",
            ));
        }
        Ok(())
    }
}
