//! What is refused in a URL before the client library reads it: that would take a piece of a password for the host, look it
//! up, and name it in its errors.

use slight_capabilities::{Error, Result};

/// Refuses a URL that means something else than was meant. No sentence shows a part of it.
///
/// # Errors
/// `Invalid`.
pub(crate) fn check(url: &str) -> Result<()> {
    let Some((scheme, rest)) = url.split_once("://") else { return Ok(()) };
    if url.contains(|character: char| character.is_whitespace() || character.is_control()) || has_odd_percent(rest) {
        return Err(raw_password());
    }
    if scheme.contains("unix") { check_socket(rest) } else { check_host(rest) }
}

/// `user:password@host:port/database?options#insecure`.
fn check_host(rest: &str) -> Result<()> {
    let (authority, tail) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    if tail.contains('@') || authority.matches('@').count() > 1 {
        return Err(raw_password());
    }
    let port = match host.rsplit_once(']') {
        Some((_, port)) => port.strip_prefix(':'),
        None => host.split_once(':').map(|(_, port)| port),
    };
    if port.is_some_and(|port| port.parse::<u16>().is_err()) {
        return Err(Error::invalid(format!(
            "the port in the url is no number below 65536; an IPv6 address stands in brackets, and {PASSWORD}"
        )));
    }
    let database = tail.strip_prefix('/').unwrap_or_default();
    check_database(database.split(['?', '#']).next().unwrap_or_default())
}

/// `/path?db=database&user=user&pass=password`.
fn check_socket(rest: &str) -> Result<()> {
    if rest.contains('#') {
        return Err(raw_password());
    }
    let Some((_, options)) = rest.split_once('?') else { return Ok(()) };
    for option in options.split('&') {
        match option.split_once('=') {
            Some(("db", database)) => check_database(database)?,
            Some(("pass" | "user", value)) if value.contains(['?', '=', '+']) => return Err(raw_password()),
            Some(("pass" | "user" | "protocol", _)) => {}
            _ => return Err(raw_password()),
        }
    }
    Ok(())
}

fn check_database(database: &str) -> Result<()> {
    if database.is_empty() || database.parse::<u32>().is_ok() {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "the database in the url, behind the last slash, is no number; if that slash belongs to the password, {PASSWORD}"
    )))
}

/// Whether a `%` is not followed by two hexadecimal digits.
fn has_odd_percent(text: &str) -> bool {
    let is_digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_hexdigit);
    text.split('%').skip(1).any(|part| !is_digit(part.as_bytes().first()) || !is_digit(part.as_bytes().get(1)))
}

const PASSWORD: &str = "in a user name or password / is written as %2F, @ as %40, : as %3A, # as %23, ? as %3F, % as %25, & as \
    %26, + as %2B and a space as %20; or set \"password\" beside the url, where it stands as it is";

fn raw_password() -> Error {
    Error::invalid(format!("the url is not valid: {PASSWORD}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_that_mean_what_they_say_are_let_through() {
        for url in [
            "redis://127.0.0.1",
            "redis://127.0.0.1:6379/0",
            "rediss://host.example:6380/",
            "rediss://host/#insecure",
            "redis://:p%40ss%2Fword@127.0.0.1:6379/3",
            "redis://user:hunter2@[::1]:6379/0",
            "redis://[::1]",
            "redis://user:a:b@host",
            "redis://host?protocol=resp3",
            "unix:///run/redis.sock",
            "unix:///run/redis@1/x.sock?db=2&user=u&pass=p%23ss",
            "redis+unix:///run/redis.sock?db=2",
        ] {
            check(url).unwrap();
        }
    }

    #[test]
    fn raw_passwords_are_refused_and_not_shown() {
        for url in [
            "redis://:SEC/RET@127.0.0.1:6379",
            "redis://:SEC@RET@127.0.0.1:6379",
            "redis://:SEC@RET/SEC@127.0.0.1:6379",
            "redis://user:SEC?RET@127.0.0.1",
            "redis://user:SEC#RET@127.0.0.1",
            "redis://user:SEC RET@127.0.0.1",
            "redis://user:SEC\tRET@127.0.0.1",
            "redis://user:SEC%RET@127.0.0.1",
            "redis://user:SEC/RET@[::1]:6379/0",
            "redis://SEC/RET@host",
            "redis://:SECRET",
            "redis://user:SECRET",
            "redis://::1:6379",
            "redis://host/SECRET",
            "redis://host/0/SECRET",
            "redis://host/-1",
            "unix:///run/x.sock?pass=SEC#RET",
            "unix:///run/x.sock?pass=SEC&RET",
            "unix:///run/x.sock?pass=SEC?RET",
            "unix:///run/x.sock?db=SECRET",
        ] {
            let said = check(url).unwrap_err().to_string();
            assert!(said.contains("%2F") && said.contains("%40"), "{said}");
            assert!(!said.contains("SEC") && !said.contains("RET"), "{said}");
        }
    }
}
