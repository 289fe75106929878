use std::fmt;

/// The result of a call to a provider.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of failure an [`Error`] is: what the caller can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The thing named does not exist. For key-value this means the backend's location, never a key.
    NotFound,
    /// The thing to be created is there already.
    AlreadyExists,
    /// The backend or the route does not allow the call.
    Denied,
    /// Somebody else changed the entry; this call *certainly* changed nothing.
    Conflict,
    /// The call's arguments or the stored data are not of the required form; repeating it does not help.
    Invalid,
    /// More bytes than the backend or a limit takes. The message names the limit.
    TooLarge,
    /// The backend cannot be reached; nothing was changed as far as is known. Also for a lost answer, where the call may
    /// be repeated without harm.
    Unavailable,
    /// No answer in time, or the answer of a call was lost that is not to be repeated blindly. The outcome is unknown: the
    /// call may still have taken effect.
    Timeout,
    /// Anything else.
    Other,
}

/// A failure, as a sentence for people and a kind for programs.
///
/// The message says what happened, to what, and where it helps what to do next. It never holds a secret, a URL with
/// credentials, or the `Debug` form of a foreign type: it may reach the guest. The source chain is for the log alone.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of `kind` with a sentence that says what happened to what.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    /// Keeps the error that caused this one, for the log.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What the caller can do about it.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The sentence, without its causes.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// [`ErrorKind::NotFound`] with a message.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotFound, message)
    }

    /// [`ErrorKind::AlreadyExists`] with a message.
    pub fn already_exists(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::AlreadyExists, message)
    }

    /// [`ErrorKind::Denied`] with a message.
    pub fn denied(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Denied, message)
    }

    /// [`ErrorKind::Conflict`] with a message.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Conflict, message)
    }

    /// [`ErrorKind::Invalid`] with a message.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }

    /// [`ErrorKind::TooLarge`] for `what`, which is `size` bytes where `limit` are allowed.
    pub fn too_large(what: impl fmt::Display, size: u64, limit: u64) -> Self {
        Self::new(ErrorKind::TooLarge, format!("{what} is {size} bytes, more than the limit of {limit} bytes"))
    }

    /// [`ErrorKind::Unavailable`] with a message.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unavailable, message)
    }

    /// [`ErrorKind::Timeout`] with a message.
    pub fn timeout(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Timeout, message)
    }

    /// [`ErrorKind::Other`] with a message.
    pub fn other(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Other, message)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
