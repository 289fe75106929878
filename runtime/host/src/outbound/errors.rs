//! What a guest is told of a request that failed, and what the log is.

use std::{error::Error as StdError, io, iter::successors};

use hyper_util::client::legacy;
use wasmtime_wasi_http::Error;

use crate::failure::with_causes;

/// The nearest of the cases that wasi:http knows. The log gets all causes, the guest none of them.
pub(super) fn convert(target: &str, error: &legacy::Error) -> Error {
    tracing::warn!("an outgoing request to {target} failed: {}", with_causes(error));
    let mut causes = successors(error.source(), |&cause| cause.source());
    let found = causes.find_map(|cause| known(cause, error.is_connect()));
    found.unwrap_or(if error.is_connect() { Error::ConnectionRefused } else { Error::HttpProtocolError })
}

/// Whether the server had closed the connection before it read the request, as far as can be told.
pub(super) fn is_stale(error: &legacy::Error) -> bool {
    let mut causes = successors(error.source(), |&cause| cause.source());
    !error.is_connect() && causes.any(is_closed)
}

fn is_closed(cause: &(dyn StdError + 'static)) -> bool {
    if let Some(error) = cause.downcast_ref::<hyper::Error>() {
        return error.is_incomplete_message() || error.is_canceled() || error.is_closed();
    }
    cause.downcast_ref::<io::Error>().is_some_and(|error| {
        matches!(
            error.kind(),
            io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::BrokenPipe
                | io::ErrorKind::NotConnected
                | io::ErrorKind::UnexpectedEof
        )
    })
}

fn known(cause: &(dyn StdError + 'static), connecting: bool) -> Option<Error> {
    if let Some(error) = cause.downcast_ref::<Error>() {
        return from_body(error);
    }
    if let Some(error) = cause.downcast_ref::<hyper::Error>() {
        return from_hyper(error);
    }
    let error = cause.downcast_ref::<io::Error>()?;
    match tls_error(error) {
        Some(error) => Some(from_tls(error)),
        None if connecting => Some(from_connect(error)),
        None => Some(Error::ConnectionTerminated),
    }
}

fn from_connect(error: &io::Error) -> Error {
    // The standard library has no kind for it.
    if error.to_string().starts_with("failed to lookup address information") {
        return Error::DnsError { rcode: Some("address not available".to_owned()), info_code: None };
    }
    match error.kind() {
        io::ErrorKind::TimedOut => Error::ConnectionTimeout,
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => Error::DestinationIpUnroutable,
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::UnexpectedEof => {
            Error::ConnectionTerminated
        }
        _ => Error::ConnectionRefused,
    }
}

/// Libraries wrap errors into errors of input and output more than once.
fn tls_error(mut error: &io::Error) -> Option<&rustls::Error> {
    loop {
        let inner = error.get_ref()?;
        match inner.downcast_ref() {
            Some(found) => return Some(found),
            None => error = inner.downcast_ref()?,
        }
    }
}

/// The guest's own body failed, for instance because it is not as long as its header says.
fn from_body(error: &Error) -> Option<Error> {
    match error {
        Error::HttpRequestBodySize(size) => Some(Error::HttpRequestBodySize(*size)),
        _ => None,
    }
}

/// `None` where a deeper cause says more.
fn from_hyper(error: &hyper::Error) -> Option<Error> {
    if error.is_incomplete_message() {
        Some(Error::HttpResponseIncomplete)
    } else if error.is_timeout() {
        Some(Error::HttpResponseTimeout)
    } else if error.is_parse() {
        Some(Error::HttpProtocolError)
    } else if error.source().is_none() && (error.is_closed() || error.is_canceled()) {
        Some(Error::ConnectionTerminated)
    } else {
        None
    }
}

fn from_tls(error: &rustls::Error) -> Error {
    match error {
        rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented => Error::TlsCertificateError,
        rustls::Error::AlertReceived(alert) => Error::TlsAlertReceived {
            alert_id: Some(u8::from(*alert)),
            alert_message: alert.as_str().map(str::to_owned),
        },
        _ => Error::TlsProtocolError,
    }
}
