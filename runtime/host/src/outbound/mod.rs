//! Outgoing HTTP: only to where the configuration allows.

mod client;
mod connector;
mod errors;
mod message;
mod target;

use std::{fmt, sync::Arc};

use bytes::Bytes;
use http::{StatusCode, uri::Scheme};
use http_body::Body;
use http_body_util::{BodyExt, Limited};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

pub(crate) use self::{
    client::Client,
    target::{NONCHARACTER, link_sending},
};
use crate::{hop_by_hop, state::Shared};

/// Decides by scheme, host and port where outgoing HTTP requests may go. By default: nowhere.
#[derive(Clone)]
pub struct OutboundPolicy(Arc<Allows>);

type Allows = dyn Fn(&str, &str, Option<u16>) -> bool + Send + Sync;

impl OutboundPolicy {
    /// A policy that asks this function. The port is `None` where the request names none.
    pub fn new(allows: impl Fn(&str, &str, Option<u16>) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(allows))
    }
}

impl Default for OutboundPolicy {
    fn default() -> Self {
        Self::new(|_, _, _| false)
    }
}

impl fmt::Debug for OutboundPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OutboundPolicy")
    }
}

type Sent = (http::Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>);

/// Checks each outgoing request before it is sent.
pub(crate) struct Outbound(Arc<Shared>);

impl Outbound {
    pub fn new(shared: Arc<Shared>) -> Self {
        Self(shared)
    }

    fn check(&self, request: &http::Request<WasiBody>) -> Result<(), Error> {
        message::check(request)?;
        let uri = request.uri();
        let scheme = uri.scheme().unwrap_or(&Scheme::HTTPS).as_str();
        let Some(host) = uri.host() else { return Err(Error::HttpRequestUriInvalid) };
        let OutboundPolicy(allows) = &self.0.environment.http_outbound;
        if allows(scheme, host, uri.port_u16()) {
            return Ok(());
        }
        let port = uri.port_u16().map_or(String::new(), |port| format!(":{port}"));
        self.0.denials.log(&format!(
            "an outgoing request to {scheme}://{host}{port} was denied; to allow it, add \"{scheme}://{host}{port}\" to \
             http-outbound in [component] of the configuration"
        ));
        Err(Error::HttpRequestDenied)
    }
}

impl WasiHttpHooks for Outbound {
    /// The client sets it where there is one: not over HTTP/2.
    fn set_host_header(&mut self) -> bool {
        false
    }

    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _processed: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Result<Sent, Error>> + Send> {
        if let Err(error) = self.check(&request) {
            return Box::new(std::future::ready(Err(error)));
        }
        let (client, limit) = (self.0.http.clone(), self.0.limits.body);
        Box::new(async move {
            let request = request.map(|body| limited(body, limit, Error::HttpRequestBodySize).boxed_unsync());
            let mut response = client.send(message::complete(request).await?, options).await?;
            // Nobody asked for another protocol.
            if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                return Err(Error::HttpUpgradeFailed);
            }
            hop_by_hop::remove_named(response.headers_mut());
            let response = response.map(|body| limited(body, limit, Error::HttpResponseBodySize).boxed_unsync());
            // The connection is the client's, and outlives the request.
            let sent: Box<dyn Future<Output = _> + Send> = Box::new(std::future::ready(Ok(())));
            Ok((response, sent))
        })
    }
}

/// A body that ends with an error after `limit` bytes.
fn limited<B>(
    body: B,
    limit: u64,
    too_large: fn(Option<u64>) -> Error,
) -> impl Body<Data = Bytes, Error = Error> + Send + 'static
where
    B: Body<Data = Bytes, Error = Error> + Send + 'static,
{
    Limited::new(body, usize::try_from(limit).unwrap_or(usize::MAX)).map_err(move |error| match error.downcast() {
        Ok(error) => *error,
        Err(_) => too_large(Some(limit)),
    })
}

#[cfg(test)]
mod tests {
    use http_body_util::Full;

    use super::*;

    async fn sent(size: usize) -> Result<usize, Error> {
        let body = Full::new(Bytes::from(vec![0; size])).map_err(|never| match never {});
        limited(body, 10, Error::HttpRequestBodySize).collect().await.map(|body| body.to_bytes().len())
    }

    #[tokio::test]
    async fn a_body_ends_at_its_limit() {
        assert_eq!(sent(10).await.unwrap(), 10);
        assert!(matches!(sent(11).await, Err(Error::HttpRequestBodySize(Some(10)))));
    }
}
