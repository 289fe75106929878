//! Header fields that are for one connection, and not for who is beyond it (RFC 9110, section 7.6.1).

use http::{HeaderMap, HeaderName, header};

/// Removes the fields that `Connection` names, which their sender meant for its peer alone. The field itself and those
/// that are always meant so never pass between guests and HTTP.
///
/// `Host` and `Content-Length` stay: they were needed to read the message, and no sender may name them.
pub(crate) fn remove_named(headers: &mut HeaderMap) {
    if !headers.contains_key(header::CONNECTION) {
        return;
    }
    let values = headers.get_all(header::CONNECTION).iter();
    let options = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let named: Vec<HeaderName> =
        options.filter_map(|option| HeaderName::from_bytes(option.trim_ascii()).ok()).collect();
    for name in named.iter().filter(|name| **name != header::HOST && **name != header::CONTENT_LENGTH) {
        headers.remove(name);
    }
    headers.remove(header::CONNECTION);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_connection_names_goes() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, X-Sec"),
            ("connection", "te,not a name,host,content-length,transfer-encoding"),
            ("x-sec", "1"),
            ("x-sec", "2"),
            ("te", "trailers"),
            ("host", "a"),
            ("content-length", "1"),
            ("x-other", "1"),
        ] {
            headers.append(HeaderName::from_static(name), value.parse().unwrap());
        }
        remove_named(&mut headers);
        let mut left: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["content-length", "host", "x-other"]);
    }
}
