use std::{fmt, time::Duration};

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The server never sees the request: this answer takes the place of its own.
    Answer {
        /// The status, as `503`.
        status: u16,
        /// Name and value of each header beside `content-length`.
        headers: Vec<(String, String)>,
        /// The body.
        body: String,
    },
    /// The connection is cut before the server sees the request.
    CutRequest,
    /// The server has done what was asked, and has answered; the connection is cut before the client sees the answer.
    CutAnswer,
    /// The connection is cut after so many bytes of the answer's body. A shorter one arrives whole.
    CutBody(u64),
    /// The server has answered, and the answer stays away for that long.
    Delay(Duration),
}

impl Fault {
    /// An answer of this status, with a body and no headers.
    pub fn answer(status: u16, body: impl Into<String>) -> Self {
        Self::Answer { status, headers: Vec::new(), body: body.into() }
    }
}

/// When something goes wrong: with each request that fits, until it has so often.
#[derive(Debug, Clone)]
pub struct Rule {
    fault: Fault,
    method: Option<String>,
    part: String,
    skipped: usize,
    left: usize,
}

impl Rule {
    /// With every request.
    pub fn always(fault: Fault) -> Self {
        Self { fault, method: None, part: String::new(), skipped: 0, left: usize::MAX }
    }

    /// With the next request.
    pub fn once(fault: Fault) -> Self {
        Self::always(fault).times(1)
    }

    /// So often at most.
    #[must_use]
    pub fn times(mut self, times: usize) -> Self {
        self.left = times;
        self
    }

    /// Not with the first so many that fit.
    #[must_use]
    pub fn after(mut self, skipped: usize) -> Self {
        self.skipped = skipped;
        self
    }

    /// With requests of this method alone.
    #[must_use]
    pub fn method(mut self, method: &str) -> Self {
        self.method = Some(method.to_owned());
        self
    }

    /// With requests alone whose path and query have this in them.
    #[must_use]
    pub fn target(mut self, part: &str) -> Self {
        self.part = part.to_owned();
        self
    }

    pub(crate) fn fits(&self, request: &Request) -> bool {
        self.left > 0
            && self.method.as_ref().is_none_or(|method| *method == request.method)
            && request.target.contains(&self.part)
    }

    /// Counts a request that fits, and says what goes wrong with it.
    pub(crate) fn meet(&mut self) -> Option<Fault> {
        if self.skipped > 0 {
            self.skipped -= 1;
            return None;
        }
        self.left -= 1;
        Some(self.fault.clone())
    }
}

/// A request that came by, whatever became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The method, as `GET`.
    pub method: String,
    /// Path and query, as they were sent.
    pub target: String,
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.target)
    }
}
