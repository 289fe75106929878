use std::error::Error as StdError;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
};
use slight_capabilities::{Error, ErrorKind};

type Source = Box<dyn StdError + Send + Sync>;

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
        self.is(&[404], &[]) && !self.is(&[], &["NoSuchBucket", "NoSuchUpload"])
    }

    pub(crate) fn is_no_upload(&self) -> bool {
        self.is(&[], &["NoSuchUpload"])
    }

    /// A condition did not hold, or another request was faster: certainly nothing was changed. S3 answers 404 to
    /// `If-Match` on an object that is gone.
    pub(crate) fn is_conflict(&self) -> bool {
        self.is(&[412, 409], &[]) || self.is_missing()
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

    /// Worth another attempt, where a second one does no harm.
    pub(crate) fn is_transient(&self) -> bool {
        matches!(self.reason, Reason::Broken | Reason::Late | Reason::NotSent)
    }

    /// Says what it means to the caller: the one place where errors of the client become ours. `repeatable` says that a
    /// second attempt would do no harm, and so that an unclear outcome is none.
    ///
    /// What the client or the server said goes into the log alone: it may name keys, users and addresses.
    pub(crate) fn into_error(self, bucket: &str, repeatable: bool) -> Error {
        let (kind, sentence) = self.classify(repeatable);
        let message = match kind {
            ErrorKind::Denied | ErrorKind::NotFound | ErrorKind::Invalid => {
                format!("{sentence} (S3 bucket {bucket:?})")
            }
            _ => sentence,
        };
        let error = Error::new(kind, message);
        match self.source {
            Some(source) => error.with_source(source),
            None => error,
        }
    }

    fn classify(&self, repeatable: bool) -> (ErrorKind, String) {
        let (kind, sentence) = match &self.reason {
            Reason::Late => (ErrorKind::Timeout, "S3 did not answer in time; the outcome is unknown"),
            Reason::NotSent => (ErrorKind::Unavailable, "S3 cannot be reached"),
            Reason::Broken if repeatable => (ErrorKind::Unavailable, "the connection to S3 broke"),
            Reason::Broken => (ErrorKind::Timeout, "the connection to S3 broke; the outcome is unknown"),
            Reason::NoCredentials => (
                ErrorKind::Denied,
                "no credentials for S3 could be had: set access-key-id and secret-access-key, or AWS's own variables, \
                 files or roles",
            ),
            Reason::Answered { region: Some(region), .. } if self.is_elsewhere() => {
                return (ErrorKind::Invalid, format!("the bucket is in the region {region}: set `region` to it"));
            }
            Reason::Answered { status, code, .. } => answered(*status, code, repeatable),
        };
        (kind, sentence.to_owned())
    }

    fn is_elsewhere(&self) -> bool {
        self.is(&[301, 307, 400], &ELSEWHERE)
    }
}

const THROTTLED: [&str; 5] =
    ["SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequests"];

const TOO_MANY: (ErrorKind, &str) = (ErrorKind::Unavailable, "S3 asks for fewer requests");

const ELSEWHERE: [&str; 3] = ["PermanentRedirect", "TemporaryRedirect", "AuthorizationHeaderMalformed"];

fn answered(status: u16, code: &str, repeatable: bool) -> (ErrorKind, &'static str) {
    match code {
        "NoSuchBucket" => (ErrorKind::NotFound, "the bucket is missing"),
        "InvalidAccessKeyId" | "InvalidClientTokenId" | "UnrecognizedClientException" => {
            (ErrorKind::Denied, "S3 does not know the access key id")
        }
        "SignatureDoesNotMatch" => (ErrorKind::Denied, "the secret access key is not that of the access key id"),
        "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired" | "InvalidToken" => {
            (ErrorKind::Denied, "the credentials have expired, or their session token is not theirs")
        }
        "RequestTimeTooSkewed" => (ErrorKind::Denied, "the clock of this machine is wrong, or that of S3"),
        code if THROTTLED.contains(&code) => TOO_MANY,
        "KeyTooLongError" => (ErrorKind::Invalid, "the name is too long: with its prefixes, S3 takes 1,024 bytes"),
        "EntityTooLarge" => (ErrorKind::TooLarge, "this is more than S3 takes"),
        "InvalidBucketName" => (ErrorKind::Invalid, "this is no name for a bucket"),
        code if ELSEWHERE.contains(&code) => {
            (ErrorKind::Invalid, "the bucket is in another region: set `region` to it")
        }
        _ => by_status(status, repeatable),
    }
}

fn by_status(status: u16, repeatable: bool) -> (ErrorKind, &'static str) {
    match status {
        301 | 307 => (ErrorKind::Invalid, "the bucket is in another region: set `region` to it"),
        401 | 403 => (ErrorKind::Denied, "these credentials may not do this in S3"),
        404 => (ErrorKind::NotFound, "there is no such object"),
        409 | 412 => (ErrorKind::Conflict, "another request was faster; nothing was changed"),
        429 => TOO_MANY,
        // An error may also come behind a head that says that all is well.
        200..=299 | 500.. if repeatable => (ErrorKind::Unavailable, "S3 is failing"),
        200..=299 | 500.. => (ErrorKind::Timeout, "S3 failed; the outcome is unknown"),
        _ => (ErrorKind::Other, "S3 refused the request"),
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
        _ if is_caused_by(error, |cause| cause.is::<CredentialsError>()) => Reason::NoCredentials,
        SdkError::ConstructionFailure(_) => Reason::NotSent,
        _ if is_caused_by(error, is_no_connection) => Reason::NotSent,
        SdkError::DispatchFailure(failure) if failure.is_timeout() => Reason::Late,
        _ => Reason::Broken,
    }
}

fn is_no_connection(cause: &(dyn StdError + 'static)) -> bool {
    cause.downcast_ref::<hyper_util::client::legacy::Error>().is_some_and(|error| error.is_connect())
}

fn is_caused_by(error: &(dyn StdError + 'static), is: impl Fn(&(dyn StdError + 'static)) -> bool) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if is(error) {
            return true;
        }
        cause = error.source();
    }
    false
}
