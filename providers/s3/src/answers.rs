use slight_capabilities::ErrorKind;

use crate::errors::Effect;

/// S3 refuses for now, and has not done it.
pub(crate) const THROTTLED: [&str; 5] =
    ["SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequests"];

const TOO_MANY: (ErrorKind, &str) = (ErrorKind::Unavailable, "S3 asks for fewer requests");

/// The bucket is in another region.
pub(crate) const ELSEWHERE: [&str; 3] = ["PermanentRedirect", "TemporaryRedirect", "AuthorizationHeaderMalformed"];

/// What an error means that S3 has answered with, to a request of this effect.
pub(crate) fn answered(status: u16, code: &str, effect: Effect) -> (ErrorKind, &'static str) {
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
        "PreconditionFailed" | "ConditionalRequestConflict" => {
            (ErrorKind::Conflict, "another request was faster; nothing was changed")
        }
        "OperationAborted" => (ErrorKind::Unavailable, "S3 is at something else with the bucket or object; try again"),
        "InvalidObjectState" => (
            ErrorKind::Unavailable,
            "the object is in an archive; bring it back, which takes hours: aws s3api restore-object",
        ),
        code if code.starts_with("KMS.") => {
            (ErrorKind::Denied, "the key in KMS that the object is encrypted with cannot be used")
        }
        "KeyTooLongError" => (ErrorKind::Invalid, "the name is too long: with its prefixes, S3 takes 1,024 bytes"),
        "EntityTooLarge" => (ErrorKind::TooLarge, "this is more than S3 takes"),
        "InvalidBucketName" => (ErrorKind::Invalid, "this is no name for a bucket"),
        code if ELSEWHERE.contains(&code) => {
            (ErrorKind::Invalid, "the bucket is in another region: set `region` to it")
        }
        _ => by_status(status, effect),
    }
}

fn by_status(status: u16, effect: Effect) -> (ErrorKind, &'static str) {
    match status {
        301 | 307 => (ErrorKind::Invalid, "the bucket is in another region: set `region` to it"),
        401 | 403 => {
            (ErrorKind::Denied, "these credentials may not do this in S3, or a policy or an object lock forbids it")
        }
        404 => (ErrorKind::NotFound, "there is no such object"),
        412 => (ErrorKind::Conflict, "another request was faster; nothing was changed"),
        409 => (
            ErrorKind::Unavailable,
            "the bucket or the object is in a state in which S3 refuses this; nothing was changed",
        ),
        429 => TOO_MANY,
        _ if is_failing(status) && effect != Effect::Once => (ErrorKind::Unavailable, "S3 is failing"),
        _ if is_failing(status) => (ErrorKind::Timeout, "S3 failed; the outcome is unknown"),
        _ => (ErrorKind::Other, "S3 refused the request"),
    }
}

/// S3 itself failed, and may have done it or not. An error may also come behind a head that says that all is well.
pub(crate) fn is_failing(status: u16) -> bool {
    matches!(status, 200..=299 | 500..)
}
