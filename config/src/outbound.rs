use std::{fmt, net::IpAddr, str::FromStr};

use serde::Deserialize;

/// Where the guest may send HTTP requests. Nowhere, when it is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct Outbound {
    /// The origins allowed.
    pub origins: Vec<Origin>,
}

/// One origin, or a pattern for several.
///
/// Written `scheme://host[:port]`, or `*` for every origin. The host's first label may be `*`: it stands for exactly
/// one label, so that `*.internal` is `api.internal` and neither `internal` nor `a.b.internal`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// `http`, `https`, or `*` for either.
    pub scheme: String,
    /// A host in lower case, with `*` for any first label; `*` alone is any host. IPv6 stands without brackets.
    pub host: String,
    /// The port; `None` is any. An origin without one means the port of its scheme.
    pub port: Option<u16>,
}

impl Outbound {
    /// Every origin is allowed.
    pub fn all() -> Self {
        Self { origins: vec![Origin::any()] }
    }

    /// Whether a request may be sent. `host` may have capitals, brackets and a final dot; without a `port` it is the
    /// scheme's.
    pub fn allows(&self, scheme: &str, host: &str, port: Option<u16>) -> bool {
        self.origins.iter().any(|origin| origin.allows(scheme, host, port))
    }
}

impl TryFrom<Vec<String>> for Outbound {
    type Error = &'static str;

    fn try_from(written: Vec<String>) -> Result<Self, Self::Error> {
        let origins: Result<_, _> = written.iter().map(|origin| origin.parse()).collect();
        Ok(Self { origins: origins? })
    }
}

impl Origin {
    fn any() -> Self {
        Self { scheme: "*".to_owned(), host: "*".to_owned(), port: None }
    }

    fn allows(&self, scheme: &str, host: &str, port: Option<u16>) -> bool {
        let scheme = scheme.to_ascii_lowercase();
        let Some(port) = port.or(default_port(&scheme)) else {
            return false;
        };
        (self.scheme == "*" || self.scheme == scheme)
            && self.port.is_none_or(|allowed| allowed == port)
            && host_matches(&self.host, &plain_host(host))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scheme, host, port } = self;
        match port {
            None => f.write_str("*"),
            Some(port) => {
                let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
                write!(f, "{scheme}://{host}")?;
                if default_port(scheme) == Some(*port) { Ok(()) } else { write!(f, ":{port}") }
            }
        }
    }
}

impl FromStr for Origin {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "*" {
            return Ok(Self::any());
        }
        let (scheme, authority) = text.split_once("://").ok_or("it needs a scheme, http:// or https://")?;
        let scheme = scheme.to_ascii_lowercase();
        let standard = default_port(&scheme).ok_or("the scheme must be http or https")?;
        if authority.contains(['/', '?', '#']) {
            return Err("it ends with the host or the port, without a path");
        }
        if authority.contains('@') {
            return Err("it holds no user and no password");
        }
        let (host, port) = split_port(authority)?;
        // Without its final dot `*.` would be every host.
        let pattern = plain_host(host);
        if host.ends_with('.') || !is_host_pattern(&pattern) {
            return Err("the host is no host name, and only its first label may be *");
        }
        Ok(Self { scheme, host: pattern, port: Some(port.unwrap_or(standard)) })
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

/// `host:port`, where an IPv6 address stands in brackets.
fn split_port(authority: &str) -> Result<(&str, Option<u16>), &'static str> {
    let after_address = authority.rfind(']').map_or(0, |bracket| bracket + 1);
    let colon = authority.get(after_address..).and_then(|rest| rest.rfind(':')).map(|at| after_address + at);
    let Some((host, port)) = colon.and_then(|at| authority.split_at_checked(at)) else {
        return Ok((authority, None));
    };
    if port == ":*" {
        return Err("* is not possible for ports; name one, or leave it out for the scheme's own");
    }
    let port = port.trim_start_matches(':').parse::<u16>().ok().filter(|port| *port > 0);
    port.map(|port| (host, Some(port))).ok_or("the port must be 1 to 65535")
}

/// The one form in which hosts are compared.
fn plain_host(host: &str) -> String {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    match bare.parse::<IpAddr>() {
        Ok(address) => address.to_string(),
        Err(_) => host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase(),
    }
}

fn host_matches(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix('*') {
        None => pattern == host,
        Some("") => true,
        // An address has no labels that a star could stand for.
        Some(_) if host.parse::<IpAddr>().is_ok() => false,
        Some(rest) => host.strip_suffix(rest).is_some_and(|label| !label.is_empty() && !label.contains('.')),
    }
}

fn is_host_pattern(host: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len()) && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    let labels = host.strip_prefix("*.").unwrap_or(host);
    host == "*" || host.parse::<IpAddr>().is_ok() || (host.len() <= 253 && labels.split('.').all(is_label))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outbound(origins: &[&str]) -> Outbound {
        let written: Vec<String> = origins.iter().map(|origin| (*origin).to_owned()).collect();
        Outbound::try_from(written).unwrap()
    }

    #[test]
    fn nothing_is_allowed_unless_it_is_listed() {
        assert!(!Outbound::default().allows("https", "api.example.com", None));
        let list = outbound(&["https://api.example.com"]);
        assert!(list.allows("https", "api.example.com", None));
        assert!(list.allows("HTTPS", "API.example.com.", Some(443)));
        assert!(!list.allows("http", "api.example.com", None));
        assert!(!list.allows("http", "api.example.com", Some(443)));
        assert!(!list.allows("https", "api.example.com", Some(8443)));
        assert!(!list.allows("https", "example.com", None));
        assert!(!list.allows("https", "api.example.com.evil.org", None));
    }

    #[test]
    fn a_port_may_be_given() {
        let list = outbound(&["http://localhost:8080", "http://[::1]:8080", "https://10.0.0.1"]);
        assert!(list.allows("http", "localhost", Some(8080)));
        assert!(!list.allows("http", "localhost", None));
        assert!(list.allows("http", "[0:0:0:0:0:0:0:1]", Some(8080)));
        assert!(list.allows("http", "::1", Some(8080)));
        assert!(list.allows("https", "10.0.0.1", None));
    }

    #[test]
    fn a_star_stands_for_exactly_the_first_label() {
        let list = outbound(&["http://*.internal"]);
        assert!(list.allows("http", "api.internal", None));
        for host in ["internal", ".internal", "a.b.internal", "api.internal.org", "xinternal"] {
            assert!(!list.allows("http", host, None), "{host}");
        }
        assert!(!outbound(&["http://*.0.0.1"]).allows("http", "127.0.0.1", None));
    }

    #[test]
    fn a_star_alone_allows_every_origin_and_no_other_scheme() {
        assert!(Outbound::all().allows("http", "example.com", Some(1234)));
        assert!(outbound(&["*"]).allows("https", "[::1]", None));
        assert!(!outbound(&["*"]).allows("ftp", "example.com", None));
        assert!(!outbound(&["https://*"]).allows("http", "example.com", None));
    }

    #[test]
    fn an_origin_is_shown_as_it_is_written() {
        for text in ["*", "https://api.example.com", "http://*.internal:8080", "http://[::1]:8080", "https://*"] {
            assert_eq!(text.parse::<Origin>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_star_for_a_port_is_told_from_a_wrong_port() {
        let refused = "http://127.0.0.1:*".parse::<Origin>().unwrap_err();
        assert!(refused.contains("* is not possible for ports"), "{refused}");
    }

    #[test]
    fn what_is_no_origin_is_refused() {
        let wrong = [
            "",
            "api.example.com",
            "ftp://a",
            "https://",
            "https://a/",
            "https://a/b",
            "https://u:p@a",
            "https://a:",
            "https://a:0",
            "https://a:65536",
            "https://a:x",
            "https://a.*.b",
            "https://*a.b",
            "https://a..b",
            "https://[::1",
            "https://a b",
            "https://*.",
            "https://a?x",
            "http://::1",
        ];
        for text in wrong {
            assert!(text.parse::<Origin>().is_err(), "{text}");
        }
    }
}
