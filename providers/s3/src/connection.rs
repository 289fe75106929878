use std::{fs, path::Path, sync::Arc, time::Duration};

use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_s3::{
    Client,
    config::{
        Credentials, Region, RequestChecksumCalculation, ResponseChecksumValidation, SharedHttpClient,
        StalledStreamProtectionConfig,
        retry::{RetryConfig, RetryPartition, TokenBucket},
        timeout::TimeoutConfig,
    },
};
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
};
use slight_capabilities::{Error, Result};
use tokio::sync::OnceCell;

use crate::{credentials, location::Location, settings::Settings, site::Site, store::Store};

/// How long connecting may take at most.
const CONNECT: Duration = Duration::from_secs(3);

/// How often a request is sent at most, where a second time does no harm.
pub(crate) const ATTEMPTS: u32 = 3;

/// What a section may spend on sending again before S3 answers: 5 each time, or 10 after a timeout.
const RETRIES: usize = 500;

/// The first location of a section, with the client that all its requests go through. Nothing is sent yet to S3.
pub(crate) async fn store(settings: &Settings, location: Location, create: bool) -> Result<Store> {
    let shared = tokio::time::timeout(settings.timeout, load(settings)).await;
    let shared = shared.map_err(|_| Error::timeout("the region could not be found out in time; set `region`"))??;
    let Some(region) = shared.region().map(ToString::to_string) else {
        return Err(Error::invalid("there is no region: set `region`, or AWS_REGION in the environment"));
    };
    let endpoint = settings.endpoint.as_deref().or(shared.endpoint_url());
    Ok(Store {
        client: client(settings, &shared),
        site: Arc::new(Site::new(endpoint, &region, settings.profile.as_deref())),
        region,
        timeout: settings.timeout,
        location,
        create,
        ready: OnceCell::new(),
        gone: Arc::default(),
    })
}

fn client(settings: &Settings, shared: &SdkConfig) -> Client {
    let is_compatible = settings.endpoint.is_some() || shared.endpoint_url().is_some();
    let mut config = aws_sdk_s3::config::Builder::from(shared)
        .force_path_style(settings.path_style.unwrap_or(is_compatible))
        .retry_config(
            RetryConfig::standard()
                .with_max_attempts(ATTEMPTS)
                .with_initial_backoff(Duration::from_millis(200))
                .with_max_backoff(Duration::from_secs(2)),
        )
        // Of this section alone: an S3 that is down takes no retries from another.
        .retry_partition(RetryPartition::custom("slight").token_bucket(TokenBucket::new(RETRIES)).build())
        .timeout_config(TimeoutConfig::builder().connect_timeout(CONNECT.min(settings.timeout)).build())
        // Every wait has a limit of its own here.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    if let Some(endpoint) = &settings.endpoint {
        config = config.endpoint_url(endpoint);
    }
    if is_compatible {
        // Many of them know no checksums beside those that the protocol had first.
        config = config
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
    }
    Client::from_conf(config.build())
}

/// What AWS's tools share: credentials, region, profile.
async fn load(settings: &Settings) -> Result<SdkConfig> {
    let mut loader = aws_config::defaults(BehaviorVersion::latest());
    if let Some(region) = settings.region.as_deref().or(settings.endpoint.as_ref().map(|_| "us-east-1")) {
        loader = loader.region(Region::new(region.to_owned()));
    }
    if let Some(profile) = &settings.profile {
        credentials::require_profile(profile).await?;
        // Those that AWS's tools would find elsewhere are not meant.
        loader = loader.profile_name(profile).no_credentials();
    }
    if let (Some(id), Some(secret)) = (&settings.access_key_id, &settings.secret_access_key) {
        let token = settings.session_token.as_ref().map(|token| token.expose().to_owned());
        loader = loader.credentials_provider(Credentials::new(id, secret.expose(), token, None, "slight"));
    }
    if let Some(path) = &settings.ca_file {
        loader = loader.http_client(trusting(path)?);
    }
    let shared = loader.load().await;
    Ok(match &settings.profile {
        Some(profile) => credentials::of_profile(shared, profile),
        None => shared,
    })
}

/// A client that trusts the certificates of a file and no others.
fn trusting(path: &Path) -> Result<SharedHttpClient> {
    let unusable = |why: String| Error::invalid(format!("the ca-file {} cannot be used: {why}", path.display()));
    let pem = fs::read(path).map_err(|error| unusable(error.to_string()).with_source(error))?;
    if !pem.windows(BEGIN.len()).any(|window| window == BEGIN) {
        return Err(unusable("it has no certificate in PEM".to_owned()));
    }
    let trusted = TlsContext::builder().with_trust_store(TrustStore::empty().with_pem_certificate(pem)).build();
    let trusted = trusted.map_err(|error| unusable("it has no good certificate".to_owned()).with_source(error))?;
    Ok(Builder::new().tls_provider(Provider::Rustls(CryptoMode::AwsLc)).tls_context(trusted).build_https())
}

const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";
