use redis::{ErrorKind as Kind, RedisError, ServerErrorKind};
use slight_capabilities::{Error, ErrorKind};

/// Says what a failed command means to the caller: the one place where errors of the client become ours.
///
/// What the client or the server said goes into the log alone: it may name keys, users and addresses.
pub(crate) fn error(error: RedisError, repeatable: bool) -> Error {
    let (kind, message) = classify(&error, repeatable);
    Error::new(kind, message).with_source(said(&error))
}

/// Says why there is no connection. Whatever the reason, no command was sent.
pub(crate) fn not_connected(address: &str, encrypted: bool, error: RedisError) -> Error {
    let late = if error.is_timeout() { ": no answer in time" } else { "" };
    let said = said(&error);
    let described = match classify(&error, true) {
        (ErrorKind::Unavailable, _) if encrypted && said.contains("CertificateRequired") => {
            Error::unavailable(format!(
                "Redis at {address} asks for a certificate, and none can be set here; set its tls-auth-clients to no"
            ))
        }
        (ErrorKind::Unavailable, _) if encrypted && is_invalid(&said) => Error::unavailable(format!(
            "the certificate of Redis at {address} is not valid for this name or at this time"
        )),
        (ErrorKind::Unavailable, _) if encrypted && said.contains("certificate") => Error::unavailable(format!(
            "the certificate of Redis at {address} is not trusted; name the one to trust with \"ca-file\""
        )),
        // What the client says quotes the bytes, in several lines.
        (ErrorKind::Unavailable, _) if error.kind() == Kind::Parse => {
            return Error::unavailable(format!("what answers at {address} does not speak Redis; correct the url"));
        }
        // A server that waits for a command waits on where a handshake begins.
        (ErrorKind::Unavailable | ErrorKind::Timeout, _) if encrypted && !error.is_connection_refusal() => {
            Error::unavailable(format!(
                "Redis at {address} cannot be reached over TLS{late}; if this port is one without TLS, the url begins \
                 with redis:// instead of rediss://"
            ))
        }
        (ErrorKind::Unavailable | ErrorKind::Timeout, _) => {
            Error::unavailable(format!("Redis at {address} cannot be reached{late}"))
        }
        (kind, message) => Error::new(kind, format!("{message} (Redis at {address})")),
    };
    described.with_source(said)
}

/// Whether TLS has found a certificate good but for its name or its time.
fn is_invalid(said: &str) -> bool {
    said.contains("certificate not valid") || said.contains("certificate expired")
}

/// The server is a node of a cluster, and the settings do not say so.
pub(crate) fn part_of_a_cluster(address: &str) -> Error {
    Error::invalid(format!("Redis at {address} is a node of a cluster; set `cluster = true`"))
}

/// What the client or the server said, for the log: without the names of the client's types in it.
fn said(error: &RedisError) -> String {
    match (error.code(), error.detail()) {
        (Some(code), Some(detail)) => format!("{code} {detail}"),
        (Some(code), None) => code.to_owned(),
        (None, _) => error.to_string().replacen(&format!(" - {:?}", error.kind()), "", 1),
    }
}

/// An answer of another form than the command's.
pub(crate) fn odd() -> Error {
    Error::other(ODD)
}

const ODD: &str = "Redis answered in a way that was not understood";

fn classify(error: &RedisError, repeatable: bool) -> (ErrorKind, &'static str) {
    match error.kind() {
        Kind::Io | Kind::Parse if error.is_connection_refusal() => UNREACHABLE,
        Kind::Io if error.is_timeout() => LATE,
        // The command may have arrived, and its answer been lost.
        Kind::Io | Kind::Parse if repeatable => UNREACHABLE,
        Kind::Io | Kind::Parse => LOST,
        Kind::ClusterConnectionNotFound => UNREACHABLE,
        Kind::AuthenticationFailed => DENIED,
        Kind::InvalidClientConfig => (ErrorKind::Invalid, "the settings for Redis cannot be used"),
        Kind::RESP3NotSupported => (ErrorKind::Invalid, "the server is older than Redis 6.2, and cannot be used"),
        Kind::Server(kind) => server(kind, error.detail().unwrap_or_default()),
        Kind::Extension => extension(error.code().unwrap_or_default()),
        _ => (ErrorKind::Other, ODD),
    }
}

const UNREACHABLE: (ErrorKind, &str) = (ErrorKind::Unavailable, "Redis cannot be reached");
const LATE: (ErrorKind, &str) = (ErrorKind::Timeout, "Redis did not answer in time; the outcome is unknown");
const LOST: (ErrorKind, &str) = (ErrorKind::Timeout, "the connection to Redis broke; the outcome is unknown");
const DENIED: (ErrorKind, &str) = (ErrorKind::Denied, "Redis refused the user name or the password");
const NO_LOGIN: (ErrorKind, &str) =
    (ErrorKind::Denied, "Redis asks for a password, and there is none in the settings; set \"password\"");
const FORBIDDEN: (ErrorKind, &str) = (ErrorKind::Denied, "the user may not do this in Redis; see to its ACL");
const NO_DATABASE: (ErrorKind, &str) =
    (ErrorKind::Invalid, "Redis has no database of this number; it is what follows the last slash of the url");
const NO_CLUSTER: (ErrorKind, &str) =
    (ErrorKind::Invalid, "Redis is not part of a cluster; leave `cluster` out of the settings");
const NOT_READY: (ErrorKind, &str) = (ErrorKind::Unavailable, "Redis is starting, failing over or busy");

fn server(kind: ServerErrorKind, detail: &str) -> (ErrorKind, &'static str) {
    match kind {
        ServerErrorKind::NoPerm => FORBIDDEN,
        ServerErrorKind::BusyLoading
        | ServerErrorKind::TryAgain
        | ServerErrorKind::ClusterDown
        | ServerErrorKind::MasterDown
        | ServerErrorKind::ReadOnly => NOT_READY,
        ServerErrorKind::Moved | ServerErrorKind::Ask | ServerErrorKind::CrossSlot => {
            (ErrorKind::Unavailable, "Redis is part of a cluster that is changing, or `cluster = true` is missing")
        }
        _ if detail.contains("DB index") => NO_DATABASE,
        _ if detail.contains("cluster support disabled") => NO_CLUSTER,
        _ if detail.contains("max number of clients") => (ErrorKind::Unavailable, "Redis has too many clients"),
        _ => (ErrorKind::Other, "Redis refused the command"),
    }
}

fn extension(code: &str) -> (ErrorKind, &'static str) {
    match code {
        "NOAUTH" => NO_LOGIN,
        "WRONGPASS" => DENIED,
        "WRONGTYPE" => (ErrorKind::Invalid, "a key in Redis holds something else than what belongs there"),
        "OOM" => (ErrorKind::Unavailable, "Redis has reached its memory limit (maxmemory)"),
        "MISCONF" => (ErrorKind::Unavailable, "Redis cannot write to its disk and takes no writes"),
        "NOREPLICAS" => (ErrorKind::Unavailable, "Redis has fewer replicas than its settings ask for"),
        "BUSY" | "UNBLOCKED" => NOT_READY,
        _ => (ErrorKind::Other, "Redis refused the command"),
    }
}
