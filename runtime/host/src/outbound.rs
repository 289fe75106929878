//! Outgoing HTTP: only to where the configuration allows.

use std::sync::Arc;

use http::uri::Scheme;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use crate::state::Shared;

/// Where outgoing HTTP requests may go. Empty: nowhere.
#[derive(Debug, Clone, Default)]
pub struct AllowList(Vec<AllowedOrigin>);

/// One entry of an [`AllowList`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedOrigin {
    /// `http` or `https`; `None` is either.
    pub scheme: Option<String>,
    /// A host name or address, `*.` and a domain for every host below it, or `*` for every host.
    pub host: String,
    /// The port; `None` is the scheme's own, or any port where the host is `*`.
    pub port: Option<u16>,
}

impl AllowList {
    /// A list of these.
    pub fn new(origins: Vec<AllowedOrigin>) -> Self {
        Self(origins)
    }

    /// Whether a request may go there.
    pub fn allows(&self, scheme: &str, host: &str, port: u16) -> bool {
        self.0.iter().any(|origin| origin.allows(scheme, host, port))
    }
}

impl AllowedOrigin {
    fn allows(&self, scheme: &str, host: &str, port: u16) -> bool {
        let port_fits = match self.port {
            Some(allowed) => allowed == port,
            None => self.host == "*" || port == default_port(scheme),
        };
        port_fits && self.scheme.as_deref().is_none_or(|allowed| allowed == scheme) && self.host_fits(host)
    }

    fn host_fits(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        match self.host.strip_prefix('*') {
            Some("") => true,
            Some(suffix) => host.len() > suffix.len() && host.ends_with(&suffix.to_ascii_lowercase()),
            None => host == self.host.to_ascii_lowercase(),
        }
    }
}

fn default_port(scheme: &str) -> u16 {
    if scheme == "http" { 80 } else { 443 }
}

type Sent = (http::Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>);

/// Checks each outgoing request before it is sent.
pub(crate) struct Outbound(Arc<Shared>);

impl Outbound {
    pub fn new(shared: Arc<Shared>) -> Self {
        Self(shared)
    }

    fn check(&self, request: &http::Request<WasiBody>) -> Result<(), Error> {
        let uri = request.uri();
        let scheme = uri.scheme().unwrap_or(&Scheme::HTTPS).as_str();
        let Some(host) = uri.host() else { return Err(Error::HttpRequestUriInvalid) };
        let port = uri.port_u16().unwrap_or_else(|| default_port(scheme));
        if self.0.environment.http_outbound.allows(scheme, host, port) {
            return Ok(());
        }
        tracing::warn!(
            "an outgoing request to {scheme}://{host}:{port} was denied; to allow it, add \"{scheme}://{host}:{port}\" \
             to http-outbound in [component] of the configuration"
        );
        Err(Error::HttpRequestDenied)
    }
}

impl WasiHttpHooks for Outbound {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _processed: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Result<Sent, Error>> + Send> {
        if let Err(error) = self.check(&request) {
            return Box::new(std::future::ready(Err(error)));
        }
        Box::new(async move {
            let (response, io) = wasmtime_wasi_http::default_send_request(request, options).await?;
            let response = response.map(http_body_util::BodyExt::boxed_unsync);
            Ok((response, Box::new(io) as Box<dyn Future<Output = _> + Send>))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(scheme: Option<&str>, host: &str, port: Option<u16>) -> AllowList {
        AllowList::new(vec![AllowedOrigin { scheme: scheme.map(Into::into), host: host.into(), port }])
    }

    #[test]
    fn an_empty_list_allows_nothing() {
        assert!(!AllowList::default().allows("https", "example.com", 443));
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let list = origin(Some("https"), "api.example.com", None);
        assert!(list.allows("https", "API.example.com", 443));
        assert!(!list.allows("http", "api.example.com", 80));
        assert!(!list.allows("https", "api.example.com", 8443));
        assert!(!list.allows("https", "example.com", 443));
    }

    #[test]
    fn a_wildcard_covers_the_hosts_below_a_domain_and_not_itself() {
        let list = origin(None, "*.example.com", None);
        assert!(list.allows("http", "a.b.example.com", 80));
        assert!(!list.allows("https", "example.com", 443));
        assert!(!list.allows("https", "badexample.com", 443));
    }

    #[test]
    fn a_star_allows_every_host_and_port() {
        assert!(origin(None, "*", None).allows("http", "localhost", 8080));
    }
}
