//! Credentials that are not in the settings.

use std::{borrow::Cow, env, error::Error as StdError, fs, io, path::PathBuf};

use aws_config::{
    SdkConfig,
    profile::{self, ProfileFileCredentialsProvider},
    provider_config::ProviderConfig,
};
use aws_credential_types::provider::SharedCredentialsProvider;
use slight_capabilities::{Error, Result};

use crate::errors::causes;

/// Names the file with the token of a web identity.
const TOKEN_FILE: &str = "AWS_WEB_IDENTITY_TOKEN_FILE";

/// Requires that AWS's shared files have the profile.
///
/// # Errors
/// `Invalid` for one that they do not have, or that cannot be read. The client itself would pass over it, and ask the
/// environment or the machine for credentials that nobody has meant.
pub(crate) async fn require_profile(name: &str) -> Result<()> {
    let name_of_it = Some(Cow::Owned(name.to_owned()));
    let found = profile::load(&Default::default(), &Default::default(), &Default::default(), name_of_it).await;
    let found = found.map_err(|error| {
        Error::invalid(format!("the profile {name:?} cannot be read from AWS's shared files")).with_source(error)
    })?;
    match found.get_profile(name) {
        Some(_) => Ok(()),
        None => Err(Error::invalid(format!(
            "there is no profile {name:?} in AWS's shared files: ~/.aws/config and ~/.aws/credentials, unless \
             AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE name others"
        ))),
    }
}

/// Takes credentials from this profile alone.
pub(crate) fn of_profile(shared: SdkConfig, name: &str) -> SdkConfig {
    let mut config = ProviderConfig::without_region().with_region(shared.region().cloned());
    if let Some(client) = shared.http_client() {
        config = config.with_http_client(client);
    }
    let provider = ProfileFileCredentialsProvider::builder().configure(&config).profile_name(name).build();
    shared.into_builder().credentials_provider(SharedCredentialsProvider::new(provider)).build()
}

/// Says which file it is, where there are no credentials because the token of a web identity cannot be read: the client
/// says no more than why.
pub(crate) fn unreadable_token(failure: &(dyn StdError + 'static)) -> Option<String> {
    let failed = causes(failure).find_map(|cause| cause.downcast_ref::<io::Error>())?;
    let path = PathBuf::from(env::var_os(TOKEN_FILE)?);
    let unread = fs::read(&path).err().filter(|unread| unread.kind() == failed.kind())?;
    Some(format!("the file {} that {TOKEN_FILE} names cannot be read: {unread}", path.display()))
}
