use std::{
    error::Error as _,
    fmt::{self, Debug, Display},
    iter::successors,
    panic::Location,
};

use slight_capabilities::{Error, ErrorKind, Result};

use crate::calls::Called;

/// How much of a value is shown in a message.
const SHOWN: usize = 200;

/// How a case ended.
pub type Outcome<T = ()> = std::result::Result<T, Failure>;

/// Why a case did not pass.
#[derive(Clone)]
pub struct Failure {
    message: String,
    place: Option<&'static Location<'static>>,
    skipped: bool,
}

impl Failure {
    /// A failure with a sentence that says what was expected and what was found.
    #[track_caller]
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), place: Some(Location::caller()), skipped: false }
    }

    /// A failure that says all by itself: where it was found does not help.
    pub(crate) fn told(message: impl Into<String>) -> Self {
        Self { message: message.into(), place: None, skipped: false }
    }

    /// Says that a case could not be tried.
    pub fn skipped(why: impl Into<String>) -> Self {
        Self { message: why.into(), place: None, skipped: true }
    }

    /// True when the case could not be tried.
    pub fn is_skip(&self) -> bool {
        self.skipped
    }

    /// The same, told as part of something larger.
    pub(crate) fn within(mut self, what: impl Display) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }

    /// The same, and what to do about it.
    pub(crate) fn and_then(mut self, advice: &str) -> Self {
        self.message.push_str(advice);
        self
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match self.place {
            Some(place) => write!(f, " ({}:{})", place.file(), place.line()),
            None => Ok(()),
        }
    }
}

/// The same as [`Display`]: it is what a failed test prints.
impl Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

impl std::error::Error for Failure {}

impl From<Error> for Failure {
    #[track_caller]
    fn from(error: Error) -> Self {
        Self::new(format!("expected success, found {}", described(&error)))
    }
}

#[track_caller]
pub(crate) fn require(holds: bool, message: impl Display) -> Outcome {
    if holds { Ok(()) } else { Err(Failure::new(message.to_string())) }
}

#[track_caller]
pub(crate) fn equal<T: PartialEq + Debug>(what: impl Display, found: T, expected: T) -> Outcome {
    require(found == expected, format_args!("{what}: expected {}, found {}", shown(&expected), shown(&found)))
}

/// Compares what may be megabytes.
#[track_caller]
pub(crate) fn equal_bytes(what: impl Display, found: &[u8], expected: &[u8]) -> Outcome {
    if found == expected {
        return Ok(());
    }
    let same = found.iter().zip(expected).take_while(|(found, expected)| found == expected).count();
    Err(Failure::new(format!(
        "{what}: expected {} bytes, found {} bytes, the same up to byte {same}: expected {}, found {}",
        expected.len(),
        found.len(),
        shown(&String::from_utf8_lossy(expected.get(same..).unwrap_or_default())),
        shown(&String::from_utf8_lossy(found.get(same..).unwrap_or_default())),
    )))
}

/// Requires that a call failed with an error of `kind`.
#[track_caller]
pub(crate) fn refused<T>(what: impl Display, result: Result<T>, kind: ErrorKind) -> Outcome {
    match result {
        Err(error) if error.kind() == kind => Ok(()),
        Err(error) => Err(Failure::new(format!("{what}: expected {kind:?}, found {}", described(&error)))),
        Ok(_) => Err(Failure::new(format!("{what}: expected {kind:?}, found success"))),
    }
}

/// Requires success or an error of `kind`; true for success.
#[track_caller]
pub(crate) fn done_or<T>(what: impl Display, result: Result<T>, kind: ErrorKind) -> Outcome<bool> {
    match result {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == kind => Ok(false),
        Err(error) => Err(Failure::new(format!("{what}: expected success or {kind:?}, found {}", described(&error)))),
    }
}

/// The kind, the sentence, all the causes, and the call that failed: what the author of a provider needs to find the cause.
pub(crate) fn described(error: &Error) -> String {
    let (mut text, mut call) = (format!("{:?}: {error}", error.kind()), None);
    for cause in successors(error.source(), |&cause| cause.source()) {
        match cause.downcast_ref::<Called>() {
            Some(called) => call = call.or(Some(&called.what)),
            None => {
                let said = cause.to_string();
                // Some say again what is in the text already.
                if !text.contains(&said) {
                    text.push_str(&format!(": {said}"));
                }
            }
        }
    }
    match call {
        Some(call) => format!("{text} (of `{call}`)"),
        None => text,
    }
}

fn shown(value: &impl Debug) -> String {
    let text = format!("{value:?}");
    match text.char_indices().nth(SHOWN) {
        None => text,
        Some((end, _)) => format!("{}… ({} characters)", text.get(..end).unwrap_or_default(), text.chars().count()),
    }
}
