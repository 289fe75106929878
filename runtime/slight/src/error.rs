use std::{error, fmt};

/// Why an app cannot be started, or ended otherwise than it should: what happened, to what, and what to do next.
///
/// `Display` tells all causes; no secret is in it.
pub struct Error(anyhow::Error);

/// What comes of a call.
pub type Result<T> = std::result::Result<T, Error>;

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&chain(&self.0))
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl error::Error for Error {}

impl From<anyhow::Error> for Error {
    fn from(error: anyhow::Error) -> Self {
        Self(error)
    }
}

impl From<slight_config::Mistakes> for Error {
    fn from(mistakes: slight_config::Mistakes) -> Self {
        Self(anyhow::anyhow!("{mistakes}"))
    }
}

/// An error with its causes, but for those that it has told already: libraries repeat what they wrap.
pub(crate) fn chain(error: &anyhow::Error) -> String {
    let mut told = String::new();
    for cause in error.chain() {
        let said = cause.to_string();
        if !told.contains(&said) {
            let colon = if told.is_empty() { "" } else { ": " };
            told = format!("{told}{colon}{said}");
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn a_cause_that_was_told_is_not_told_again() {
        let refused = || anyhow::Error::from(io::Error::other("connection refused"));
        let error = refused().context("cannot connect: connection refused").context("not ready");
        assert_eq!(Error::from(error).to_string(), "not ready: cannot connect: connection refused");
        assert_eq!(chain(&refused().context("not ready")), "not ready: connection refused");
    }
}
