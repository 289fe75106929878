use std::{error::Error as _, iter::successors};

use azure_core::{error::ErrorKind as Cause, xml};
use serde::Deserialize;
use slight_capabilities::{Error, ErrorKind};

use crate::attempts::Lost;

/// How much of what the SDK says is kept for the log.
const SHOWN: usize = 600;

/// A request that failed, after all its attempts.
#[derive(Debug)]
pub(crate) struct Failure {
    /// `None` when there was no time left.
    cause: Option<azure_core::Error>,
    lost: Lost,
    /// An earlier attempt may have taken effect.
    pub(crate) repeated: bool,
}

impl Failure {
    pub(crate) fn of(cause: azure_core::Error, lost: Lost, repeated: bool) -> Self {
        Self { cause: Some(cause), lost, repeated }
    }

    pub(crate) fn late(lost: Lost, repeated: bool) -> Self {
        Self { cause: None, lost, repeated }
    }

    /// The status of the answer; 0 where there is none.
    pub(crate) fn status(&self) -> u16 {
        self.cause.as_ref().and_then(azure_core::Error::http_status).map_or(0, u16::from)
    }

    /// Azure's name of what is wrong; empty where there is none.
    pub(crate) fn code(&self) -> &str {
        match self.cause.as_ref().map(azure_core::Error::kind) {
            Some(Cause::HttpResponse { error_code: Some(code), .. }) => code,
            _ => "",
        }
    }

    /// True when the blob is not there, as opposed to its container. A header tells the code where there is no body.
    pub(crate) fn is_missing(&self) -> bool {
        self.code() == "BlobNotFound"
    }

    /// True when there is no container of this name.
    pub(crate) fn is_no_container(&self) -> bool {
        self.code() == "ContainerNotFound"
    }

    /// True when there is no queue of this name.
    pub(crate) fn is_no_queue(&self) -> bool {
        self.code() == "QueueNotFound"
    }

    /// True when the state was another than the one required: nothing was changed. The same status is also that of blobs
    /// that are leased, archived or protected.
    pub(crate) fn is_conflict(&self) -> bool {
        // Creating over something is 412 on Azure and 409 on Azurite.
        matches!(self.code(), "ConditionNotMet" | "TargetConditionNotMet" | "BlobAlreadyExists")
    }

    /// True when a page blob or an append blob of another program is in the place. Nothing of ours is of these types.
    pub(crate) fn is_of_another_type(&self) -> bool {
        self.code() == "InvalidBlobType"
    }

    /// True when nothing was done since the service is busy or closed to us for the moment.
    pub(crate) fn is_refused_for_now(&self) -> bool {
        matches!(self.status(), 429 | 503) || self.is(&Cause::Connection)
    }

    /// True when nobody knows whether the request took effect.
    pub(crate) fn is_unclear(&self) -> bool {
        self.cause.is_none() || self.is(&Cause::Io) || matches!(self.status(), 408 | 500 | 502 | 504)
    }

    fn is(&self, cause: &Cause) -> bool {
        self.cause.as_ref().is_some_and(|error| error.kind() == cause)
    }

    /// Says what the failure means to the caller: the one place where errors of the SDK become ours. `location` is the
    /// container or queue that was asked.
    pub(crate) fn into_error(self, location: &str) -> Error {
        let (kind, message) = self.classify(location);
        let error = Error::new(kind, message);
        match self.cause {
            Some(cause) => error.with_source(described(&cause)),
            None => error,
        }
    }

    fn classify(&self, location: &str) -> (ErrorKind, String) {
        if self.is_unclear() {
            return self.unclear();
        }
        let code = self.code();
        match (self.status(), code) {
            (429 | 503, _) => (ErrorKind::Unavailable, "Azure is busy and asks for fewer requests".to_owned()),
            (_, "AuthenticationFailed" | "InvalidAuthenticationInfo") | (401, _) => (
                ErrorKind::Denied,
                "Azure does not accept the credentials: the key or the signature is wrong or has expired, or the clock of \
                 this machine is off"
                    .to_owned(),
            ),
            // Of Azurite for a wrong key; of Azure where the account takes no requests from this network.
            (403, "AuthorizationFailure") => (
                ErrorKind::Denied,
                "Azure does not accept the credentials: the key or the signature is wrong, or must not be used from here"
                    .to_owned(),
            ),
            (403, _) => {
                (ErrorKind::Denied, format!("Azure does not allow this with the credentials given{}", named(code)))
            }
            (404, _) if self.is_no_container() => (
                ErrorKind::NotFound,
                format!("there is no container {location:?} in the storage account; make it, or set create = true"),
            ),
            (404, _) => (ErrorKind::NotFound, format!("there is no {location:?} in the storage account{}", named(code))),
            (409 | 412, _) => state(location, code),
            (413, _) => (ErrorKind::TooLarge, "Azure takes no request of this size".to_owned()),
            (0, _) if self.is(&Cause::Connection) => {
                (ErrorKind::Unavailable, "the storage account cannot be reached".to_owned())
            }
            (0, _) if self.is(&Cause::Credential) => {
                (ErrorKind::Denied, "there is no token for the identity".to_owned())
            }
            (0, _) => (ErrorKind::Other, "Azure answered in a way that was not understood".to_owned()),
            _ => (ErrorKind::Other, format!("Azure refused the request{}", named(code))),
        }
    }

    fn unclear(&self) -> (ErrorKind, String) {
        let what = match (&self.cause, self.status()) {
            (None, _) => "Azure did not answer in time",
            (_, 0) => "the connection to Azure was lost before the answer",
            _ => "Azure failed to answer",
        };
        match self.lost {
            Lost::Report => (ErrorKind::Timeout, format!("{what}; the outcome is unknown")),
            Lost::SendAgain if self.cause.is_none() => (ErrorKind::Timeout, what.to_owned()),
            Lost::SendAgain => (ErrorKind::Unavailable, what.to_owned()),
        }
    }
}

/// What it means that a blob, a container or a queue is in a state that a request does not fit, and what to do about it.
fn state(location: &str, code: &str) -> (ErrorKind, String) {
    let (kind, what) = match code {
        "ContainerBeingDeleted" | "QueueBeingDeleted" => (
            ErrorKind::Unavailable,
            "it is being deleted, for which Azure takes half a minute or more; try again later",
        ),
        code if code.starts_with("Lease") => (
            ErrorKind::Unavailable,
            "another program holds a lease on it; wait until that ends, or break it: az storage blob lease break",
        ),
        "BlobArchived" | "BlobBeingRehydrated" => (
            ErrorKind::Unavailable,
            "a blob is archived; bring it back, which takes hours: az storage blob set-tier --tier Hot",
        ),
        "BlobImmutableDueToPolicy" | "BlobHasLegalHold" | "ContainerImmutable" => {
            (ErrorKind::Denied, "an immutability policy or a legal hold protects it; the account's owner can end that")
        }
        "BlobUsesCustomerSpecifiedEncryption" => {
            (ErrorKind::Denied, "a blob is encrypted with a key of another program's; write it anew without one")
        }
        "InvalidBlobType" => {
            (ErrorKind::Unavailable, "another program's page blob or append blob is in the place; delete that")
        }
        "PendingCopyOperation" => (
            ErrorKind::Unavailable,
            "a blob is still being copied to; wait for that, or abort it: az storage blob copy cancel",
        ),
        _ => (ErrorKind::Conflict, "something is in another state than the request needs"),
    };
    (kind, format!("{location:?}: {what}{}", named(code)))
}

/// Codes come from the server: only such as look like one are shown.
fn named(code: &str) -> String {
    let known = !code.is_empty() && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if known { format!(" ({code})") } else { String::new() }
}

/// What the body of a refusal says.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Refusal {
    code: String,
    message: String,
}

/// What Azure or the SDK says, with its causes, for the log: in one line. URLs lose their parameters: a signature may be
/// among them.
pub(crate) fn described(error: &azure_core::Error) -> String {
    let mut text = refusal(error).unwrap_or_else(|| error.to_string());
    for cause in successors(error.source(), |&cause| cause.source()).map(ToString::to_string) {
        // Most say again what is in the text already.
        if !text.contains(&cause) {
            text.push_str(&format!(": {cause}"));
        }
    }
    let words: Vec<_> = text.split_whitespace().collect();
    without_parameters(&words.join(" ")).chars().take(SHOWN).collect()
}

/// The status, the code and the first line of the message: what follows it names the request alone.
fn refusal(error: &azure_core::Error) -> Option<String> {
    let Cause::HttpResponse { status, raw_response: Some(response), .. } = error.kind() else { return None };
    let Refusal { code, message } = xml::from_xml(response.body()).ok()?;
    Some(format!("{} {code}: {}", u16::from(*status), message.lines().next().unwrap_or_default()))
}

fn without_parameters(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut in_parameters = false;
    for character in text.chars() {
        in_parameters = match character {
            '?' => true,
            ')' | '"' | '\'' | '<' => false,
            space if space.is_whitespace() => false,
            _ => in_parameters,
        };
        if !in_parameters {
            kept.push(character);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_of_urls_are_not_kept() {
        let text = "error sending request for url (https://a.example/c/b?sv=1&sig=secret%3D) after 1 ms";
        assert_eq!(without_parameters(text), "error sending request for url (https://a.example/c/b) after 1 ms");
    }
    #[test]
    fn a_missing_token_is_told_in_one_line_and_once() {
        let cause = azure_core::Error::with_message(Cause::Other, "ERROR: sign in\nwith az login\n");
        let said = format!("AzureCliCredential failed. {cause}\nTo troubleshoot, visit https://a.example/");
        let failure = Failure::of(azure_core::Error::with_error(Cause::Credential, cause, said), Lost::Report, false);
        let error = failure.into_error("container");
        assert_eq!((error.kind(), error.message()), (ErrorKind::Denied, "there is no token for the identity"));
        assert_eq!(
            error.source().unwrap().to_string(),
            "AzureCliCredential failed. ERROR: sign in with az login To troubleshoot, visit https://a.example/"
        );
    }
}
