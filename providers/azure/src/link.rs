use std::{sync::Arc, time::Duration};

use azure_core::{
    credentials::{Secret, TokenCredential},
    http::{ClientOptions, RetryOptions, Transport, policies::Policy},
};
use azure_storage_blob::{BlobServiceClient, BlobServiceClientOptions};
use azure_storage_queue::{QueueServiceClient, QueueServiceClientOptions};
use slight_capabilities::{Error, Result};
use tokio::time::Instant;

use crate::{
    account::{Account, SignIn},
    attempts::{Lost, attempt},
    errors::{self, Failure},
    settings::Settings,
    shared_key::SharedKey,
    whole::WholeBlobs,
};

/// How long connecting may take: less than a call, so that there is time for another attempt.
const CONNECT: Duration = Duration::from_secs(3);

/// How long a connection that is not in use is kept: less than the other end keeps it, since a request that meets the end
/// of a connection has an unknown outcome. Azurite, which is reached without TLS, keeps one for 5 seconds.
const KEPT: Duration = Duration::from_secs(30);
const KEPT_BY_AZURITE: Duration = Duration::from_secs(3);

/// The two services of one storage account, on one pool of connections.
pub(crate) struct Link {
    pub(crate) blobs: BlobServiceClient,
    queues: Option<QueueServiceClient>,
    timeout: Duration,
}

impl Link {
    pub(crate) fn new(settings: &Settings) -> Result<Self> {
        let account = Account::new(settings)?;
        let unusable = |error: azure_core::Error| {
            Error::invalid("the settings of the storage account cannot be used").with_source(errors::described(&error))
        };
        let kept = if account.blobs.scheme() == "https" { KEPT } else { KEPT_BY_AZURITE };
        let (options, credential) = options(account.sign_in, transport(settings.timeout, kept)?);
        let blob_options = BlobServiceClientOptions { client_options: options.clone(), ..Default::default() };
        let blobs = BlobServiceClient::new(account.blobs, credential.clone(), Some(blob_options)).map_err(unusable)?;
        let connect = |url| {
            let options = QueueServiceClientOptions { client_options: options, ..Default::default() };
            QueueServiceClient::new(url, credential, Some(options)).map_err(unusable)
        };
        let queues = account.queues.map(connect).transpose()?;
        Ok(Self { blobs, queues, timeout: settings.timeout })
    }

    /// The queues of the account.
    ///
    /// # Errors
    /// `Invalid` where the settings do not say where they are.
    pub(crate) fn queues(&self) -> Result<&QueueServiceClient> {
        self.queues.as_ref().ok_or_else(|| Error::invalid("say where the queues are: with account or queue-endpoint"))
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// By when a call that begins now has its answer.
    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + self.timeout
    }

    /// Sends a request that is a call of its own.
    pub(crate) async fn ask<T, Asking>(&self, lost: Lost, ask: impl Fn() -> Asking) -> Result<T, Failure>
    where
        Asking: Future<Output = azure_core::Result<T>>,
    {
        attempt(self.deadline(), lost, ask).await
    }
}

fn transport(timeout: Duration, kept: Duration) -> Result<Transport> {
    let client = reqwest::Client::builder()
        .connect_timeout(CONNECT.min(timeout))
        // Silence is met with the time limit of the call, which knows what it means.
        .pool_idle_timeout(kept)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|error| Error::other("there is no TLS to reach Azure with").with_source(error.without_url()))?;
    Ok(Transport::new(Arc::new(client)))
}

fn options(sign_in: SignIn, transport: Transport) -> (ClientOptions, Option<Arc<dyn TokenCredential>>) {
    // Before the signature, which covers what it does.
    let mut per_try_policies: Vec<Arc<dyn Policy>> = vec![Arc::new(WholeBlobs)];
    let credential = match sign_in {
        SignIn::Key { account, key } => {
            let key = Secret::new(key.expose().to_owned());
            per_try_policies.push(Arc::new(SharedKey { account, key }));
            None
        }
        SignIn::Signature => None,
        SignIn::Identity(credential) => Some(credential),
    };
    let options = ClientOptions {
        per_try_policies,
        retry: RetryOptions::none(),
        transport: Some(transport),
        ..ClientOptions::default()
    };
    (options, credential)
}
