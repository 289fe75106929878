use std::sync::Arc;

use async_trait::async_trait;
use azure_core::{
    credentials::Secret,
    hmac::hmac_sha256,
    http::{
        Context, Request, Url,
        headers::{AUTHORIZATION, HeaderName},
        policies::{Policy, PolicyResult},
    },
    time::{OffsetDateTime, to_rfc7231},
};

const DATE: HeaderName = HeaderName::from_static("x-ms-date");

/// The headers that are signed by their values alone, in this order, around the length of the body.
const BEFORE_LENGTH: [&str; 2] = ["content-encoding", "content-language"];
const AFTER_LENGTH: [&str; 8] = [
    "content-md5",
    "content-type",
    "date",
    "if-modified-since",
    "if-match",
    "if-none-match",
    "if-unmodified-since",
    "range",
];

/// Signs every request with the key of the account: the scheme "Shared Key" of Azure's storage services, which the SDK
/// leaves out.
#[derive(Debug)]
pub(crate) struct SharedKey {
    pub(crate) account: String,
    pub(crate) key: Secret,
}

#[async_trait]
impl Policy for SharedKey {
    async fn send(&self, context: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        request.insert_header(DATE, to_rfc7231(&OffsetDateTime::now_utc()));
        let signature = hmac_sha256(&self.signed(request), &self.key)?;
        request.insert_header(AUTHORIZATION, format!("SharedKey {}:{signature}", self.account));
        match next.split_first() {
            Some((first, rest)) => first.send(context, request, rest).await,
            None => Err(azure_core::Error::with_message(azure_core::error::ErrorKind::Other, "there is no transport")),
        }
    }
}

impl SharedKey {
    /// What is signed, line by line.
    fn signed(&self, request: &Request) -> String {
        let header = |name: &&'static str| {
            request.headers().get_optional_str(&HeaderName::from_static(name)).unwrap_or_default().to_owned()
        };
        // An empty body is signed as no length.
        let length = request.body().len().filter(|length| *length > 0);
        let mut lines = vec![request.method().as_str().to_owned()];
        lines.extend(BEFORE_LENGTH.iter().map(header));
        lines.push(length.map(|length| length.to_string()).unwrap_or_default());
        lines.extend(AFTER_LENGTH.iter().map(header));
        lines.extend(own_headers(request));
        lines.push(resource(&self.account, request.url()));
        lines.join("\n")
    }
}

/// The headers of Azure's own, by name.
fn own_headers(request: &Request) -> Vec<String> {
    let headers = request.headers().iter().map(|(name, value)| (name.as_str().to_ascii_lowercase(), value.as_str()));
    let mut own: Vec<_> = headers.filter(|(name, _)| name.starts_with("x-ms-")).collect();
    own.sort_unstable();
    own.into_iter().map(|(name, value)| format!("{name}:{}", value.trim())).collect()
}

/// Account and path as they are sent, and the parameters, decoded and by name.
fn resource(account: &str, url: &Url) -> String {
    let mut parameters: Vec<_> = url.query_pairs().map(|(name, value)| (name.to_lowercase(), value)).collect();
    parameters.sort_unstable();
    let mut resource = format!("/{account}{}", url.path());
    for (name, value) in parameters {
        resource.push_str(&format!("\n{name}:{value}"));
    }
    resource
}
