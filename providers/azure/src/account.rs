use std::sync::Arc;

use azure_core::{base64, credentials::TokenCredential, http::Url};
use azure_identity::{
    AzureCliCredential, ManagedIdentityCredential, ManagedIdentityCredentialOptions, UserAssignedId,
    WorkloadIdentityCredential, WorkloadIdentityCredentialOptions,
};
use slight_capabilities::{Error, Result, Secret};

use crate::{
    connection_string::ConnectionString,
    errors,
    settings::{Identity, Settings},
};

const SUFFIX: &str = "core.windows.net";

/// A storage account: where it is, and how to sign in. A shared access signature is part of the URLs.
pub(crate) struct Account {
    pub(crate) blobs: Url,
    /// Not there where a connection string tells of blobs alone.
    pub(crate) queues: Option<Url>,
    pub(crate) sign_in: SignIn,
}

pub(crate) enum SignIn {
    /// Every request is signed with the key of this account.
    Key {
        account: String,
        key: Secret,
    },
    Signature,
    Identity(Arc<dyn TokenCredential>),
}

impl Account {
    /// Puts together what the settings and the connection string say.
    ///
    /// # Errors
    /// `Invalid` where that is not enough, too much, or of the wrong form; never with a secret.
    pub(crate) fn new(settings: &Settings) -> Result<Self> {
        let string = match &settings.connection_string {
            Some(text) => ConnectionString::read(text.expose())?,
            None => ConnectionString::default(),
        };
        let account = settings.account.as_ref().or(string.account.as_ref());
        let key = settings.key.as_ref().or(string.key.as_ref());
        let sas = settings.sas.as_ref().or(string.sas.as_ref());
        let sign_in = match (key, sas, settings.identity) {
            (Some(key), None, None) => with_key(account, key)?,
            (None, Some(_), None) => SignIn::Signature,
            (None, None, Some(identity)) => SignIn::Identity(with_identity(identity, settings.client_id.clone())?),
            (None, None, None) => {
                return Err(Error::invalid("say how to sign in: with key, sas, connection-string or identity"));
            }
            _ => return Err(Error::invalid("key, sas and identity are three ways to sign in; leave one of them")),
        };
        let endpoint = |service: &str, given: Option<&String>| match (given, account) {
            (Some(given), _) => url(service, given, sas).map(Some),
            (None, Some(account)) => {
                let protocol = string.protocol.as_deref().unwrap_or("https");
                let suffix = string.suffix.as_deref().unwrap_or(SUFFIX);
                url(service, &format!("{protocol}://{account}.{service}.{suffix}"), sas).map(Some)
            }
            (None, None) => Ok(None),
        };
        let blobs = endpoint("blob", settings.blob_endpoint.as_ref().or(string.blob_endpoint.as_ref()))?;
        let queues = endpoint("queue", settings.queue_endpoint.as_ref().or(string.queue_endpoint.as_ref()))?;
        let blobs = blobs.ok_or_else(|| Error::invalid("say which account: with account or connection-string"))?;
        if matches!(sign_in, SignIn::Identity(_)) && blobs.scheme() != "https" {
            return Err(Error::invalid("an identity is shown over https alone; blob-endpoint is not https"));
        }
        Ok(Self { blobs, queues, sign_in })
    }
}

fn with_key(account: Option<&String>, key: &Secret) -> Result<SignIn> {
    let account = account.ok_or_else(|| Error::invalid("say whose key it is: with account or connection-string"))?;
    if key.expose().is_empty() || base64::decode(key.expose()).is_err() {
        return Err(Error::invalid("key must be base64, as the portal shows it"));
    }
    Ok(SignIn::Key { account: account.clone(), key: key.clone() })
}

fn with_identity(identity: Identity, client_id: Option<String>) -> Result<Arc<dyn TokenCredential>> {
    let credential = match identity {
        Identity::Managed => {
            let user_assigned_id = client_id.map(UserAssignedId::ClientId);
            let options = ManagedIdentityCredentialOptions { user_assigned_id, ..Default::default() };
            ManagedIdentityCredential::new(Some(options)).map(|credential| credential as Arc<dyn TokenCredential>)
        }
        Identity::Workload => {
            let options = WorkloadIdentityCredentialOptions { client_id, ..Default::default() };
            WorkloadIdentityCredential::new(Some(options)).map(|credential| credential as Arc<dyn TokenCredential>)
        }
        Identity::AzureCli => AzureCliCredential::new(None).map(|credential| credential as Arc<dyn TokenCredential>),
    };
    credential
        .map_err(|error| Error::invalid("the identity cannot be used here").with_source(errors::described(&error)))
}

/// Reads a URL, which may hold a signature already.
fn url(service: &str, text: &str, sas: Option<&Secret>) -> Result<Url> {
    let odd =
        || Error::invalid(format!("{service}-endpoint must be a URL of the form https://host/ or http://host/account"));
    let mut url = Url::parse(text).map_err(|_| odd())?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() || !url.username().is_empty() {
        return Err(odd());
    }
    // What is appended begins with a slash.
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    if let Some(sas) = sas {
        url.set_query(Some(sas.expose().trim_start_matches('?')));
    }
    Ok(url)
}
