//! Azurite past the provider: what another program would do, with a signature of the account's own.

use azure_core::{credentials::Secret, hmac::hmac_sha256, http::Url};
use azure_storage_blob::BlobServiceClient;
use azure_storage_queue::QueueServiceClient;

/// A part of a connection string.
pub fn part<'a>(string: &'a str, name: &str) -> &'a str {
    let mut parts = string.split(';').filter_map(|part| part.split_once('='));
    parts.find(|(found, _)| *found == name).map(|(_, value)| value).expect("a connection string with all its parts")
}

/// A shared access signature for all of the account, as `rwdlacup` and until a day as `2099-01-01`.
pub fn signature(string: &str, permissions: &str, until: &str) -> String {
    let account = part(string, "AccountName");
    let (services, kinds, expiry, version) = ("bq", "sco", format!("{until}T00:00:00Z"), "2023-11-03");
    let signed = [account, permissions, services, kinds, "", &expiry, "", "http,https", version, "", ""].join("\n");
    let key = Secret::new(part(string, "AccountKey").to_owned());
    let signature = hmac_sha256(&signed, &key).expect("a key that is one");
    let signature = signature.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    format!("sv={version}&ss={services}&srt={kinds}&sp={permissions}&se={expiry}&spr=http,https&sig={signature}")
}

fn url(string: &str, endpoint: &str) -> Url {
    let signature = signature(string, "rwdlacup", "2099-01-01");
    format!("{}?{signature}", part(string, endpoint)).parse().expect("an endpoint that is a URL")
}

pub fn blobs(string: &str) -> BlobServiceClient {
    BlobServiceClient::new(url(string, "BlobEndpoint"), None, None).expect("a client")
}

#[allow(dead_code, reason = "not all who share this file need it")]
pub fn queues(string: &str) -> QueueServiceClient {
    QueueServiceClient::new(url(string, "QueueEndpoint"), None, None).expect("a client")
}

/// Sends a request of any kind, and gives its status and its answer.
#[allow(dead_code, reason = "not all who share this file need it")]
pub async fn send(
    string: &str,
    endpoint: &str,
    (method, path): (&str, &str),
    headers: &[(&str, &str)],
    body: &str,
) -> Result<(u16, String), String> {
    let signature = signature(string, "rwdlacup", "2099-01-01");
    let sign = if path.contains('?') { '&' } else { '?' };
    let url = format!("{}/{path}{sign}{signature}", part(string, endpoint));
    let method = method.parse().map_err(|_| format!("{method} is no method"))?;
    let length = body.len();
    let mut request =
        reqwest::Client::new().request(method, url).body(body.to_owned()).header("content-length", length);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.send().await.map_err(|error| error.to_string())?;
    let status = answer.status().as_u16();
    Ok((status, answer.text().await.map_err(|error| error.to_string())?))
}
