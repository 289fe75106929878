//! The one place where errors of the client and of the servers become ours.
//!
//! What they said goes into the log alone: it may name subjects, users and addresses.

use std::error::Error as _;

use async_nats::{ConnectError, ConnectErrorKind, jetstream};
use slight_capabilities::{Error, ErrorKind};

/// The server's numbers of its errors.
pub(crate) mod code {
    pub(crate) const CONSUMER_CREATE: u64 = 10012;
    pub(crate) const CONSUMER_NOT_FOUND: u64 = 10014;
    pub(crate) const NO_MESSAGE: u64 = 10037;
    pub(crate) const TOO_LARGE: u64 = 10054;
    pub(crate) const STREAM_EXISTS: u64 = 10058;
    pub(crate) const STREAM_NOT_FOUND: u64 = 10059;
    pub(crate) const CONSUMER_EXISTS: u64 = 10148;
}

/// Says why there is no connection. Whatever the reason, nothing was sent.
pub(crate) fn not_connected(address: &str, refused: bool) -> Error {
    match refused {
        true => Error::denied(format!("NATS at {address} refused to let us in: the credentials are wrong or missing")),
        false => Error::unavailable(format!("NATS at {address} cannot be reached")),
    }
}

/// Says why the first connection failed.
pub(crate) fn not_made(address: &str, error: ConnectError) -> Error {
    let said = error.source().map(ToString::to_string).unwrap_or_default();
    let described = match error.kind() {
        ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication => not_connected(address, true),
        ConnectErrorKind::Tls => Error::unavailable(format!(
            "NATS at {address} cannot be reached: TLS failed; check ca-file, certificate-file and the server's own"
        )),
        ConnectErrorKind::TimedOut => {
            Error::unavailable(format!("NATS at {address} cannot be reached: no answer in time"))
        }
        ConnectErrorKind::Io => match tls(address, &said) {
            Some(sentence) => Error::unavailable(sentence),
            None => not_connected(address, false),
        },
        _ => not_connected(address, false),
    };
    described.with_source(error)
}

/// What a failure of TLS asks for, which the client takes for one of the network.
fn tls(address: &str, said: &str) -> Option<String> {
    let is_alert = said.starts_with("received fatal alert");
    if is_alert && said.ends_with("CertificateRequired") {
        let hint = "name one with \"certificate-file\" and its key with \"key-file\"";
        Some(format!("NATS at {address} asks for a certificate; {hint}"))
    } else if is_alert && (said.contains("Certificate") || said.ends_with("UnknownCA")) {
        let hint = "check \"certificate-file\", and whom the server trusts";
        Some(format!("NATS at {address} does not accept the certificate that is shown to it; {hint}"))
    } else if said.contains("certificate not valid") || said.contains("certificate expired") {
        Some(format!("the certificate of NATS at {address} is not valid for this name or at this time"))
    } else if said.contains("peer certificate") {
        let hint = "name the one to trust with \"ca-file\"";
        Some(format!("the certificate of NATS at {address} is not trusted; {hint}"))
    } else {
        None
    }
}

/// The answer can come no more.
pub(crate) fn lost(repeatable: bool) -> Error {
    match repeatable {
        true => Error::unavailable("the connection to NATS broke"),
        false => Error::timeout("the connection to NATS broke; the outcome is unknown"),
    }
}

/// The answer did not come.
pub(crate) fn late() -> Error {
    Error::timeout("NATS did not answer in time; the outcome is unknown")
}

/// The server does not let us do this.
pub(crate) fn forbidden() -> Error {
    Error::denied("the NATS user may not do this; it needs the permissions that the provider's page lists")
}

/// An answer of another form than the call's.
pub(crate) fn odd(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::other("NATS answered in a way that was not understood").with_source(error)
}

/// The client takes nothing more.
pub(crate) fn ended(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::unavailable("the client of NATS has ended; it is started again").with_source(error)
}

/// Nobody takes calls of JetStream.
pub(crate) fn no_jetstream() -> Error {
    Error::unavailable("JetStream does not answer: it is not enabled, or has no leader at the moment")
}

/// Nobody takes what is sent to a stream.
pub(crate) fn no_leader(stream: &str) -> Error {
    Error::unavailable(format!("the stream {stream:?} in NATS takes nothing: it has no leader at the moment"))
}

/// The stream is missing.
pub(crate) fn no_stream(stream: &str) -> Error {
    Error::not_found(format!("there is no stream {stream:?} in NATS"))
}

/// Says what a refusal means to the caller.
pub(crate) fn refused(stream: &str, error: jetstream::Error) -> Error {
    let (kind, message) = match error.error_code().0 {
        code::STREAM_NOT_FOUND => return no_stream(stream).with_source(error),
        code::CONSUMER_NOT_FOUND => (ErrorKind::NotFound, "the consumer in NATS was removed"),
        10071 | 10164 => (ErrorKind::Conflict, "somebody else has changed it meanwhile"),
        code::TOO_LARGE => (ErrorKind::TooLarge, "it is larger than the stream's max_msg_size allows"),
        10077 => (ErrorKind::Unavailable, "the stream is full: max-bytes of the settings, or a limit of the account"),
        10002 | 10023 | 10028 | 10047 => (ErrorKind::Unavailable, "NATS has no more room for this account"),
        10005 | 10074 => (ErrorKind::Unavailable, "NATS has fewer servers than the settings ask for with `replicas`"),
        10008 | 10009 | 10118 => (ErrorKind::Unavailable, "JetStream is not available at the moment"),
        10109 => (ErrorKind::Denied, "the stream is sealed, so that nothing in it can be changed"),
        10026 | 10027 => (ErrorKind::Unavailable, "NATS has no more room for consumers or streams of this account"),
        10039 | 10076 => (ErrorKind::Invalid, "JetStream is not enabled on the server, or not for this account"),
        10113 => (ErrorKind::Invalid, "the account asks for `max-bytes` in the settings"),
        10065 => (ErrorKind::Invalid, "another stream has subjects of this location; choose another `location`"),
        _ => (ErrorKind::Other, "NATS refused the call"),
    };
    Error::new(kind, format!("{message} (stream {stream:?})")).with_source(error)
}
