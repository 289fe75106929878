use std::{fs, path::Path, time::Duration};

use async_nats::{
    ConnectOptions, ServerAddr,
    rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use slight_capabilities::{Error, Result};

use crate::settings::Settings;

/// How long connecting and logging in may take.
///
/// With [`RESPONSE`] it stays below the 10 seconds that the runtime gives a call by default, so that the caller learns
/// what happened and not only that time ran out.
pub(crate) const CONNECT: Duration = Duration::from_secs(3);

/// How long an answer may take.
pub(crate) const RESPONSE: Duration = Duration::from_secs(6);

/// How often the server is asked for a sign of life. After three unanswered ones the connection is given up.
const PING: Duration = Duration::from_secs(5);

/// The longest wait between two attempts to connect again.
const RECONNECT: Duration = Duration::from_millis(250);

/// How many messages a subscription holds that nobody has read yet; more are dropped. All but those of an inbox ask for
/// fewer at a time.
pub(crate) const UNREAD: usize = 2048;

/// Where the servers are and how to log in.
pub(crate) struct Target {
    servers: Vec<ServerAddr>,
    options: ConnectOptions,
}

impl Target {
    pub(crate) fn new(settings: &Settings) -> Result<Self> {
        let servers = servers(settings.url.expose())?;
        let options = login(settings, &servers)?;
        // The client writes them into its log.
        let servers = servers.into_iter().map(without_login).collect::<Result<_>>()?;
        let options = encryption(settings, options)?
            .name("slight")
            .connection_timeout(CONNECT)
            .request_timeout(Some(RESPONSE))
            .ping_interval(PING)
            .subscription_capacity(UNREAD)
            .reconnect_delay_callback(|attempts| RECONNECT.min(Duration::from_millis(20) * attempts.min(50) as u32));
        Ok(Self { servers, options })
    }

    /// The servers, for messages: without user and password.
    pub(crate) fn address(&self) -> String {
        let addresses: Vec<_> =
            self.servers.iter().map(|server| format!("{}:{}", server.host(), server.port())).collect();
        addresses.join(", ")
    }

    pub(crate) fn servers(&self) -> Vec<ServerAddr> {
        self.servers.clone()
    }

    pub(crate) fn options(&self) -> ConnectOptions {
        self.options.clone()
    }
}

fn invalid() -> Error {
    Error::invalid("the url is not of the form nats://host:4222 or tls://host:4222")
}

fn servers(urls: &str) -> Result<Vec<ServerAddr>> {
    // Not with its cause: that may quote the URL.
    let parse = |url: &str| {
        let server: ServerAddr = url.trim().parse().map_err(|_| invalid())?;
        let known = matches!(server.scheme(), "nats" | "tls") && !server.host().is_empty();
        known.then_some(server).ok_or_else(invalid)
    };
    urls.split(',').map(parse).collect()
}

fn without_login(server: ServerAddr) -> Result<ServerAddr> {
    let mut url = server.into_inner();
    let stripped = url.set_username("").and_then(|()| url.set_password(None));
    stripped.map_err(|()| invalid())?;
    ServerAddr::from_url(url).map_err(|_| invalid())
}

/// The way to log in that the settings name, or else the URL.
fn login(settings: &Settings, servers: &[ServerAddr]) -> Result<ConnectOptions> {
    let options = ConnectOptions::new();
    if let (Some(username), Some(password)) = (&settings.username, &settings.password) {
        return Ok(options.user_and_password(username.clone(), password.expose().to_owned()));
    }
    if let Some(token) = &settings.token {
        return Ok(options.token(token.expose().to_owned()));
    }
    if let Some(seed) = &settings.nkey {
        return Ok(options.nkey(seed.expose().trim().to_owned()));
    }
    if let Some(path) = &settings.credentials_file {
        let credentials = String::from_utf8_lossy(&read("credentials-file", path)?).into_owned();
        // Not with its cause: that may quote the file.
        return options.credentials(&credentials).map_err(|_| {
            Error::invalid(format!(
                "the credentials-file {} does not hold a JWT and the seed of an NKey",
                path.display()
            ))
        });
    }
    let decoded = |text: &str| percent_decoded(text).ok_or_else(|| Error::invalid("the user in the url is not UTF-8"));
    for server in servers {
        match (server.username(), server.password()) {
            (Some(username), Some(password)) => {
                return Ok(options.user_and_password(decoded(username)?, decoded(password)?));
            }
            (Some(token), None) => return Ok(options.token(decoded(token)?)),
            _ => {}
        }
    }
    Ok(options)
}

/// Undoes the percent-encoding of a part of a URL.
fn percent_decoded(text: &str) -> Option<String> {
    // A plus is a space in forms alone.
    let form = format!("={}", text.replace('+', "%2B").replace('&', "%26"));
    let decoded = form_urlencoded::parse(form.as_bytes()).next().map(|(_, value)| value.into_owned());
    decoded.filter(|decoded| !decoded.contains(char::REPLACEMENT_CHARACTER))
}

fn encryption(settings: &Settings, mut options: ConnectOptions) -> Result<ConnectOptions> {
    if let Some(path) = &settings.ca_file {
        read_certificate("ca-file", path)?;
        options = options.add_root_certificates(path.clone()).require_tls(true);
    }
    if let (Some(certificate), Some(key)) = (&settings.certificate_file, &settings.key_file) {
        read_certificate("certificate-file", certificate)?;
        PrivateKeyDer::from_pem_slice(&read("key-file", key)?).map_err(|_| without("key-file", key, "private key"))?;
        options = options.add_client_certificate(certificate.clone(), key.clone()).require_tls(true);
    }
    Ok(options)
}

/// Checks that a file holds a certificate: the client takes one without for an empty list.
fn read_certificate(setting: &str, path: &Path) -> Result<()> {
    let pem = read(setting, path)?;
    let found = CertificateDer::pem_slice_iter(&pem).any(|certificate| certificate.is_ok());
    if found { Ok(()) } else { Err(without(setting, path, "certificate")) }
}

/// Not with a cause: that may quote the file.
fn without(setting: &str, path: &Path, what: &str) -> Error {
    Error::invalid(format!("the {setting} {} holds no {what}; it must be a PEM file with one", path.display()))
}

fn read(setting: &str, path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|error| {
        Error::invalid(format!("the {setting} {} cannot be read: {error}", path.display())).with_source(error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_in_urls_are_percent_decoded() {
        assert_eq!(percent_decoded("plain").as_deref(), Some("plain"));
        assert_eq!(percent_decoded("a%40b+c&d=e%25").as_deref(), Some("a@b+c&d=e%"));
        assert_eq!(percent_decoded("%FF"), None);
        assert_eq!(percent_decoded("").as_deref(), Some(""));
    }

    #[test]
    fn several_servers_are_told_apart_by_commas() {
        let servers = servers("nats://a, tls://b:1").unwrap();
        assert_eq!(
            servers.iter().map(|server| (server.host(), server.port())).collect::<Vec<_>>(),
            [("a", 4222), ("b", 1)]
        );
        assert!(super::servers("http://a").is_err() && super::servers("").is_err());
    }

    #[test]
    fn the_client_gets_no_url_with_a_login() {
        for url in ["nats://user:hunter2@host:1", "tls://hunter2@host:1"] {
            let server = without_login(servers(url).unwrap().remove(0)).unwrap();
            assert!(!format!("{server:?}").contains("hunter2"), "{server:?}");
            assert_eq!((server.host(), server.port()), ("host", 1));
        }
    }
}
