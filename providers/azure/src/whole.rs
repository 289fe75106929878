use std::sync::Arc;

use async_trait::async_trait;
use azure_core::http::{
    AsyncRawResponse, ClientMethodOptions, Context, Request,
    headers::{CONTENT_LENGTH, HeaderName},
    policies::{Policy, PolicyResult},
};

const RANGE: HeaderName = HeaderName::from_static("range");
const CONTENT_RANGE: HeaderName = HeaderName::from_static("content-range");

/// In the context of a request: that it is for all of a blob.
struct Whole;

/// For a request for all of a blob.
pub(crate) fn whole() -> ClientMethodOptions<'static> {
    ClientMethodOptions { context: Context::new().with_value(Whole) }
}

/// Takes the range from requests that are for all of a blob, and from answers that are empty.
///
/// The SDK asks for a range in any case, which an empty blob does not have: that would be two requests for an empty value.
/// Where it has asked for one, Azurite tells of `bytes 0--1/0`, which the SDK refuses.
#[derive(Debug)]
pub(crate) struct WholeBlobs;

#[async_trait]
impl Policy for WholeBlobs {
    async fn send(&self, context: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        if context.value::<Whole>().is_some() {
            request.headers_mut().remove(RANGE);
        }
        let answer = match next.split_first() {
            Some((first, rest)) => first.send(context, request, rest).await?,
            None => {
                let kind = azure_core::error::ErrorKind::Other;
                return Err(azure_core::Error::with_message(kind, "there is no transport"));
            }
        };
        let headers = answer.headers();
        let is_empty = headers.get_optional_str(&CONTENT_LENGTH) == Some("0");
        if !is_empty || headers.get_optional_str(&CONTENT_RANGE).is_none() {
            return Ok(answer);
        }
        let (status, mut headers, body) = answer.deconstruct();
        headers.remove(CONTENT_RANGE);
        Ok(AsyncRawResponse::new(status, headers, Box::pin(body)))
    }
}
