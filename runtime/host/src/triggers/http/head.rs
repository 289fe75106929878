//! What the head of a request must be, beyond what hyper checks, and what of it concerns the guest.

use http::{
    HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, Version, header,
    uri::{Authority, Scheme},
};

use crate::{hop_by_hop, outbound::NONCHARACTER};

/// Why a request is not served: the status, and what is wrong in words that continue `the request `.
pub(super) type Refusal = (StatusCode, &'static str);

const NO_HOST: Refusal = (
    StatusCode::BAD_REQUEST,
    "does not say in one valid way which host it is for: there is no Host, or more than one, or it is not valid",
);
const TWO_HOSTS: Refusal = (StatusCode::BAD_REQUEST, "names one host in :authority and another in Host");
const BAD_TARGET: Refusal = (StatusCode::BAD_REQUEST, "has a target that does not fit its method");
const NO_TUNNEL: Refusal = (StatusCode::NOT_IMPLEMENTED, "asks for a tunnel (CONNECT), which is not given here");
const CHUNKED_TWICE: Refusal = (StatusCode::BAD_REQUEST, "has a body that is chunked more than once");
const UNKNOWN_CODING: Refusal =
    (StatusCode::NOT_IMPLEMENTED, "has a body in a transfer coding other than chunked, which is not understood");
const UNKNOWN_EXPECTATION: Refusal =
    (StatusCode::EXPECTATION_FAILED, "expects something other than 100-continue, which is not understood");

/// Checks a request, takes away what concerns this connection alone, and completes its URI: guests of 0.2 and 0.3 see
/// the same scheme and authority, and neither sees `Host`.
///
/// # Errors
/// What to answer instead of serving it.
pub(super) fn prepare<B>(request: &mut Request<B>) -> Result<(), Refusal> {
    if request.method() == Method::CONNECT {
        return Err(NO_TUNNEL);
    }
    check_expectation(request.version(), request.headers())?;
    check_transfer_coding(request.headers())?;
    let authority = authority(request)?;
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    // `OPTIONS *` asks about the server (RFC 9112, section 3.2.4); no target but that of CONNECT is an authority.
    match parts.path_and_query.as_ref().map(|path| path.path()) {
        Some("*") if request.method() != Method::OPTIONS => return Err(BAD_TARGET),
        // No URI has one (RFC 3986, section 2), though the `http` crate takes all that is UTF-8.
        Some(path) if path.contains(NONCHARACTER) => return Err(BAD_TARGET),
        None => return Err(BAD_TARGET),
        Some(_) => {}
    }
    parts.scheme = Some(Scheme::HTTP);
    parts.authority = Some(authority);
    *request.uri_mut() = Uri::from_parts(parts).map_err(|_| BAD_TARGET)?;
    hop_by_hop::remove_named(request.headers_mut());
    Ok(())
}

/// RFC 9110, section 10.1.1.
fn check_expectation(version: Version, headers: &HeaderMap) -> Result<(), Refusal> {
    let known = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"100-continue");
    if version < Version::HTTP_11 || headers.get_all(header::EXPECT).iter().all(known) {
        Ok(())
    } else {
        Err(UNKNOWN_EXPECTATION)
    }
}

/// RFC 9112, section 6.1. Where `chunked` is not the last one, hyper has refused it.
fn check_transfer_coding(headers: &HeaderMap) -> Result<(), Refusal> {
    let values = headers.get_all(header::TRANSFER_ENCODING).iter();
    let codings = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b',')).map(<[u8]>::trim_ascii);
    let (mut chunked, mut others) = (0, 0);
    for coding in codings.filter(|coding| !coding.is_empty()) {
        if coding.eq_ignore_ascii_case(b"chunked") { chunked += 1 } else { others += 1 }
    }
    match (chunked, others) {
        (0 | 1, 0) => Ok(()),
        (0 | 1, _) => Err(UNKNOWN_CODING),
        _ => Err(CHUNKED_TWICE),
    }
}

/// Which host a request is for (RFC 9112, sections 3.2 and 3.3; RFC 9113, section 8.3.1).
fn authority<B>(request: &Request<B>) -> Result<Authority, Refusal> {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (None, _) => None,
        (Some(host), None) => Some(valid(Authority::try_from(host.as_bytes()).ok()).ok_or(NO_HOST)?),
        (Some(_), Some(_)) => return Err(NO_HOST),
    };
    let target = match request.uri().authority() {
        Some(authority) => Some(valid(Some(authority.clone())).ok_or(NO_HOST)?),
        None => None,
    };
    match (request.version(), target, host) {
        (Version::HTTP_2, Some(target), Some(host)) if target != host => Err(TWO_HOSTS),
        // It is for whoever it reached.
        (Version::HTTP_10, None, None) => Ok(Authority::from_static("localhost")),
        (Version::HTTP_11, _, None) | (_, None, None) => Err(NO_HOST),
        // What the target says holds, whatever is in Host.
        (_, Some(authority), _) | (_, None, Some(authority)) => Ok(authority),
    }
}

/// A host and maybe a port. The generic syntax of URIs has room for a user's name and password, `Host` has not.
fn valid(authority: Option<Authority>) -> Option<Authority> {
    let authority = authority?;
    let host = authority.host();
    let rest = authority.as_str().strip_prefix(host)?;
    let is_port = match rest.strip_prefix(':') {
        Some(port) => {
            port.is_empty() || (port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok())
        }
        None => rest.is_empty(),
    };
    (!host.is_empty() && is_port).then_some(authority)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str, target: &str, version: Version, fields: &[(&str, &str)]) -> Request<()> {
        let mut request = Request::builder().method(method).uri(target).version(version);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap()
    }

    fn prepared(target: &str, version: Version, fields: &[(&str, &str)]) -> Result<String, u16> {
        let mut request = request("GET", target, version, fields);
        prepare(&mut request).map_err(|(status, _)| status.as_u16())?;
        Ok(request.uri().to_string())
    }

    #[test]
    fn a_request_is_for_one_host() {
        use Version as V;
        let url = |text: &str| Ok(text.to_owned());
        for (target, version, hosts, expected) in [
            ("/p?q", V::HTTP_11, &["a.example:80"][..], url("http://a.example:80/p?q")),
            ("/", V::HTTP_11, &["[::1]:3000"], url("http://[::1]:3000/")),
            ("/", V::HTTP_11, &["a:"], url("http://a:/")),
            ("/", V::HTTP_11, &[], Err(400)),
            ("/", V::HTTP_11, &[""], Err(400)),
            ("/", V::HTTP_11, &["a", "a"], Err(400)),
            ("/", V::HTTP_11, &["user:pass@a"], Err(400)),
            ("/", V::HTTP_11, &["user@a:80"], Err(400)),
            ("/", V::HTTP_11, &["a:99999"], Err(400)),
            ("/", V::HTTP_11, &["a b"], Err(400)),
            ("/", V::HTTP_11, &[":80"], Err(400)),
            // What the target says holds.
            ("http://b/p", V::HTTP_11, &["a"], url("http://b/p")),
            ("http://b", V::HTTP_11, &["a"], url("http://b/")),
            ("https://b/", V::HTTP_11, &["a"], url("http://b/")),
            ("http://b/", V::HTTP_11, &[], Err(400)),
            ("http://b/", V::HTTP_11, &["a", "b"], Err(400)),
            ("http://u@b/", V::HTTP_11, &["b"], Err(400)),
            ("/", V::HTTP_10, &[], url("http://localhost/")),
            ("http://b/", V::HTTP_10, &[], url("http://b/")),
            ("/", V::HTTP_10, &["a"], url("http://a/")),
            ("http://b/", V::HTTP_2, &[], url("http://b/")),
            ("http://b/", V::HTTP_2, &["B"], url("http://b/")),
            ("http://b/", V::HTTP_2, &["a"], Err(400)),
            ("/", V::HTTP_2, &["a"], url("http://a/")),
            ("/", V::HTTP_2, &[], Err(400)),
        ] {
            let fields: Vec<_> = hosts.iter().map(|host| ("host", *host)).collect();
            assert_eq!(prepared(target, version, &fields), expected, "{target} {version:?} {hosts:?}");
        }
    }

    #[test]
    fn a_target_fits_its_method() {
        let refused = |method, target| {
            let mut request = request(method, target, Version::HTTP_11, &[("host", "a")]);
            prepare(&mut request).err().map(|(status, _)| status.as_u16())
        };
        assert_eq!(refused("OPTIONS", "*"), None);
        assert_eq!(refused("GET", "*"), Some(400));
        assert_eq!(refused("GET", "a:80"), Some(400));
        assert_eq!(refused("GET", "/\u{10FFFF}a"), Some(400));
        assert_eq!(refused("CONNECT", "a:80"), Some(501));
        assert_eq!(refused("TRACE", "/"), None);
    }

    #[test]
    fn codings_and_expectations_that_are_not_understood_are_refused() {
        for (version, name, values, expected) in [
            (Version::HTTP_11, "transfer-encoding", &["chunked"][..], None),
            (Version::HTTP_11, "transfer-encoding", &["Chunked, "], None),
            (Version::HTTP_11, "transfer-encoding", &["chunked, chunked"], Some(400)),
            (Version::HTTP_11, "transfer-encoding", &["chunked", "chunked"], Some(400)),
            (Version::HTTP_11, "transfer-encoding", &["gzip, chunked"], Some(501)),
            (Version::HTTP_11, "expect", &["100-Continue"], None),
            (Version::HTTP_11, "expect", &["magic"], Some(417)),
            (Version::HTTP_11, "expect", &["100-continue", "magic"], Some(417)),
            (Version::HTTP_10, "expect", &["magic"], None),
        ] {
            let mut fields = vec![("host", "a")];
            fields.extend(values.iter().map(|value| (name, *value)));
            let refused = prepared("/", version, &fields).err();
            assert_eq!(refused, expected, "{name}: {values:?}");
        }
    }
}
