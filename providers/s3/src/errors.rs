use std::{error::Error as StdError, iter::successors};

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
};
use slight_capabilities::{Error, ErrorKind};

use crate::{
    answers::{ELSEWHERE, THROTTLED, answered, is_failing},
    credentials,
    site::Site,
};

type Source = Box<dyn StdError + Send + Sync>;

/// What has happened if a request has taken effect although it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing that the call is about: the request reads, or prepares.
    None,
    /// What another attempt would do as well.
    Repeatable,
    /// What must not be done twice.
    Once,
}

/// Why a request did not do what it should: what S3 or the network said, for the caller to judge.
#[derive(Debug)]
pub(crate) struct Failure {
    reason: Reason,
    source: Option<Source>,
}

#[derive(Debug)]
enum Reason {
    /// No answer in time.
    Late,
    /// No connection: S3 has not seen the request.
    NotSent,
    /// The connection broke, or the answer was not understood: S3 may have done what was asked.
    Broken,
    NoCredentials,
    Answered {
        status: u16,
        code: String,
        region: Option<String>,
    },
}

impl Failure {
    pub(crate) fn late() -> Self {
        Self { reason: Reason::Late, source: None }
    }

    /// An answer that ended too early, or is none.
    pub(crate) fn broken(source: impl Into<Source>) -> Self {
        Self { reason: Reason::Broken, source: Some(source.into()) }
    }

    fn is(&self, statuses: &[u16], codes: &[&str]) -> bool {
        match &self.reason {
            Reason::Answered { status, code, .. } => statuses.contains(status) || codes.contains(&code.as_str()),
            _ => false,
        }
    }

    /// The bucket itself is missing.
    pub(crate) fn is_no_bucket(&self) -> bool {
        self.is(&[], &["NoSuchBucket"])
    }

    /// The object is missing. An answer to HEAD has no more than the status to say so.
    pub(crate) fn is_missing(&self) -> bool {
        let Reason::Answered { status: 404, code, .. } = &self.reason else { return false };
        !code.starts_with("NoSuch") || matches!(code.as_str(), "NoSuchKey" | "NoSuchVersion")
    }

    pub(crate) fn is_no_upload(&self) -> bool {
        self.is(&[], &["NoSuchUpload"])
    }

    /// A condition did not hold, or another request was faster: certainly nothing was changed. S3 answers 404 to
    /// `If-Match` on an object that is gone. Status 409 is also that of other states, which do not pass by reading anew.
    pub(crate) fn is_conflict(&self) -> bool {
        self.is(&[412], &["PreconditionFailed", "ConditionalRequestConflict"]) || self.is_missing()
    }

    /// There is a bucket of this name, or it is just being made.
    pub(crate) fn is_bucket_there(&self) -> bool {
        self.is(&[], &["BucketAlreadyExists", "BucketAlreadyOwnedByYou", "OperationAborted"])
    }

    pub(crate) fn is_bucket_of_others(&self) -> bool {
        self.is(&[], &["BucketAlreadyExists"])
    }

    /// The range begins behind the object's end.
    pub(crate) fn is_out_of_range(&self) -> bool {
        self.is(&[416], &["InvalidRange"])
    }

    /// Refused for now, and certainly not done.
    pub(crate) fn is_throttled(&self) -> bool {
        self.is(&[429], &THROTTLED)
    }

    /// The network was at fault, and not what S3 answered: worth another attempt, where a second one does no harm.
    pub(crate) fn is_transient(&self) -> bool {
        matches!(self.reason, Reason::Broken | Reason::Late | Reason::NotSent)
    }

    /// S3 may have done what was asked.
    pub(crate) fn is_unclear(&self) -> bool {
        match self.reason {
            Reason::Late | Reason::Broken => true,
            Reason::Answered { status, .. } => is_failing(status) && !self.is_throttled(),
            Reason::NotSent | Reason::NoCredentials => false,
        }
    }

    /// As [`is_transient`](Self::is_transient), or S3 itself is failing.
    pub(crate) fn is_passing(&self) -> bool {
        self.is_transient() || self.is_unclear()
    }

    fn is_caused_by(&self, text: &str) -> bool {
        self.source.as_deref().is_some_and(|source| causes(source).any(|cause| cause.to_string().contains(text)))
    }

    /// Says what it means to the caller: the one place where errors of the client become ours.
    ///
    /// What the client or the server said goes into the log alone: it may name keys, users and addresses.
    pub(crate) fn into_error(self, site: &Site, bucket: &str, effect: Effect) -> Error {
        let (kind, sentence) = self.classify(site, effect);
        let message = match kind {
            ErrorKind::Denied | ErrorKind::NotFound | ErrorKind::Invalid => {
                format!("{sentence} (S3 bucket {bucket:?})")
            }
            // Of these the guest is told the kind alone.
            ErrorKind::Unavailable | ErrorKind::Timeout | ErrorKind::Other => {
                format!("{sentence} ({site}, S3 bucket {bucket:?})")
            }
            _ => sentence,
        };
        let error = Error::new(kind, message);
        match self.into_source(site) {
            Some(source) => error.with_source(source),
            None => error,
        }
    }

    fn into_source(self, site: &Site) -> Option<Source> {
        let source = self.source?;
        let is_about_a_token = matches!(self.reason, Reason::NoCredentials) && site.profile.is_none();
        let told = if is_about_a_token { credentials::unreadable_token(&*source) } else { None };
        Some(told.map_or(source, Source::from))
    }

    fn classify(&self, site: &Site, effect: Effect) -> (ErrorKind, String) {
        let (kind, sentence) = match &self.reason {
            Reason::Late if effect == Effect::None => (ErrorKind::Timeout, "S3 did not answer in time"),
            Reason::Late => (ErrorKind::Timeout, "S3 did not answer in time; the outcome is unknown"),
            Reason::NotSent => (ErrorKind::Unavailable, self.no_connection(site)),
            Reason::Broken if effect != Effect::Once => (ErrorKind::Unavailable, "the connection to S3 broke"),
            Reason::Broken => (ErrorKind::Timeout, "the connection to S3 broke; the outcome is unknown"),
            Reason::NoCredentials => return (ErrorKind::Denied, no_credentials(site)),
            Reason::Answered { region: Some(region), .. } if self.is_elsewhere() => {
                return (ErrorKind::Invalid, format!("the bucket is in the region {region}: set `region` to it"));
            }
            Reason::Answered { status, code, .. } => answered(*status, code, effect),
        };
        (kind, sentence.to_owned())
    }

    fn no_connection(&self, site: &Site) -> &'static str {
        if self.is_caused_by("certificate") {
            "the certificate of S3 is not trusted; name the one to trust with ca-file"
        } else if site.is_encrypted && NO_TLS.iter().any(|sign| self.is_caused_by(sign)) {
            "S3 cannot be reached over TLS; if this port is one without TLS, the endpoint begins with http:// instead of \
             https://"
        } else {
            "S3 cannot be reached"
        }
    }

    fn is_elsewhere(&self) -> bool {
        self.is(&[301, 307, 400], &ELSEWHERE)
    }
}

/// What a TLS handshake ends with where the server does not speak TLS: it answers in plain text, ends the connection, or
/// waits for more of what it takes for a request.
const NO_TLS: [&str; 4] = ["InvalidContentType", "tls handshake eof", "reset by peer", "timeout occurred"];

fn no_credentials(site: &Site) -> String {
    match &site.profile {
        Some(profile) => format!("no credentials for S3 could be had from the profile {profile:?}"),
        None => "no credentials for S3 could be had: set access-key-id and secret-access-key, or AWS's own variables, \
                 files or roles"
            .to_owned(),
    }
}

/// An answer of another form than the request's.
pub(crate) fn odd() -> Error {
    Error::other("S3 answered in a way that was not understood")
}

impl<E> From<SdkError<E, HttpResponse>> for Failure
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    fn from(error: SdkError<E, HttpResponse>) -> Self {
        Self { reason: reason(&error), source: Some(Box::new(error)) }
    }
}

fn reason<E>(error: &SdkError<E, HttpResponse>) -> Reason
where
    E: ProvideErrorMetadata + StdError + 'static,
{
    match error {
        SdkError::TimeoutError(_) => Reason::Late,
        SdkError::ServiceError(answer) => Reason::Answered {
            status: answer.raw().status().as_u16(),
            code: answer.err().code().unwrap_or_default().to_owned(),
            region: answer.raw().headers().get("x-amz-bucket-region").map(str::to_owned),
        },
        _ if causes(error).any(|cause| cause.is::<CredentialsError>()) => Reason::NoCredentials,
        SdkError::ConstructionFailure(_) => Reason::NotSent,
        _ if causes(error).any(is_no_connection) => Reason::NotSent,
        SdkError::DispatchFailure(failure) if failure.is_timeout() => Reason::Late,
        _ => Reason::Broken,
    }
}

fn is_no_connection(cause: &(dyn StdError + 'static)) -> bool {
    cause.downcast_ref::<hyper_util::client::legacy::Error>().is_some_and(|error| error.is_connect())
}

/// An error and what it comes from.
pub(crate) fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    successors(Some(error), |error: &&'a (dyn StdError + 'static)| (*error).source())
}
