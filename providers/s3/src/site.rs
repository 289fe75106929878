use std::fmt;

/// Where S3 is, and whose credentials it is asked with, for messages.
#[derive(Debug)]
pub(crate) struct Site {
    place: String,
    /// Whether the endpoint is one with TLS.
    pub(crate) is_encrypted: bool,
    /// The profile that the settings name.
    pub(crate) profile: Option<String>,
}

impl Site {
    pub(crate) fn new(endpoint: Option<&str>, region: &str, profile: Option<&str>) -> Self {
        let place = endpoint.map_or_else(|| format!("the region {region}"), address);
        let is_encrypted = endpoint.is_some_and(|endpoint| endpoint.starts_with("https://"));
        Self { place, is_encrypted, profile: profile.map(str::to_owned) }
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place)
    }
}

/// Host and port of a URL, and nothing else of it: one from the environment may hold a password.
fn address(endpoint: &str) -> String {
    let (scheme, rest) = endpoint.split_once("://").unwrap_or(("", endpoint));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let address = authority.rsplit_once('@').map_or(authority, |(_, address)| address);
    let has_port = address.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']'));
    match scheme {
        _ if has_port => address.to_owned(),
        "https" => format!("{address}:443"),
        _ => format!("{address}:80"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_told_by_host_and_port_alone() {
        let shown = |endpoint| Site::new(Some(endpoint), "us-east-1", None).to_string();
        assert_eq!(shown("http://127.0.0.1:9000"), "127.0.0.1:9000");
        assert_eq!(shown("https://user:hunter2@s3.example.com/path?key=hunter2"), "s3.example.com:443");
        assert_eq!(shown("http://[::1]"), "[::1]:80");
        assert_eq!(shown("http://[::1]:9000/"), "[::1]:9000");
        assert_eq!(Site::new(None, "eu-west-1", None).to_string(), "the region eu-west-1");
    }
}
