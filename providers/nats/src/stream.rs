use std::{borrow::Cow, time::SystemTime};

use async_nats::{
    HeaderMap,
    jetstream::{self, consumer, stream},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::json;
use slight_capabilities::{Error, Result};

use crate::{
    call::Call,
    errors::{self, code},
    link::{Link, Lost},
};

/// A stream in JetStream by its name, and what we do with it.
#[derive(Clone)]
pub(crate) struct Stream {
    pub(crate) link: Link,
    pub(crate) name: String,
}

/// A message as a stream holds it.
pub(crate) struct Stored {
    pub(crate) subject: String,
    pub(crate) sequence: u64,
    pub(crate) time: SystemTime,
    pub(crate) data: Bytes,
    /// As they were sent.
    pub(crate) headers: Vec<u8>,
    /// Whether it says that there is nothing under its subject any more: how other clients delete.
    pub(crate) is_marker: bool,
}

/// Which message is asked for.
#[derive(Serialize)]
#[serde(untagged)]
enum Wanted<'a> {
    Last { last_by_subj: &'a str },
    Next { seq: u64, next_by_subj: &'a str },
}

impl Stream {
    pub(crate) fn new(link: &Link, name: impl Into<String>) -> Self {
        Self { link: link.clone(), name: name.into() }
    }

    fn refused(&self, error: jetstream::Error) -> Error {
        errors::refused(&self.name, error)
    }

    /// What the stream is; `None` where it is not there.
    pub(crate) async fn info(&self) -> Result<Option<stream::Info>> {
        match self.link.api(&format!("STREAM.INFO.{}", self.name), &json!({}), Lost::SendAgain).await? {
            Ok(info) => Ok(Some(info)),
            Err(error) if error.error_code().0 == code::STREAM_NOT_FOUND => Ok(None),
            Err(error) => Err(self.refused(error)),
        }
    }

    /// Makes the stream; `None` where there is another of its name.
    pub(crate) async fn create(&self, config: &stream::Config) -> Result<Option<stream::Info>> {
        match self.link.api(&format!("STREAM.CREATE.{}", self.name), config, Lost::SendAgain).await? {
            Ok(info) => Ok(Some(info)),
            Err(error) if error.error_code().0 == code::STREAM_EXISTS => Ok(None),
            Err(error) => Err(self.refused(error)),
        }
    }

    /// Removes the stream, if it is there.
    pub(crate) async fn delete(&self) -> Result<()> {
        let name = format!("STREAM.DELETE.{}", self.name);
        match self.link.api::<serde::de::IgnoredAny>(&name, &json!({}), Lost::SendAgain).await? {
            Ok(_) => Ok(()),
            Err(error) if error.error_code().0 == code::STREAM_NOT_FOUND => Ok(()),
            Err(error) => Err(self.refused(error)),
        }
    }

    /// The last message of a subject, from the stream's leader.
    pub(crate) async fn last(&self, subject: &str) -> Result<Option<Stored>> {
        self.message(Wanted::Last { last_by_subj: subject }).await
    }

    /// The first message from `sequence` on whose subject `filter` fits, from the stream's leader.
    pub(crate) async fn next(&self, sequence: u64, filter: &str) -> Result<Option<Stored>> {
        self.message(Wanted::Next { seq: sequence.max(1), next_by_subj: filter }).await
    }

    async fn message(&self, wanted: Wanted<'_>) -> Result<Option<Stored>> {
        let name = format!("STREAM.MSG.GET.{}", self.name);
        let answer = self.link.api_answer(&name, &wanted, Lost::SendAgain).await?;
        let got: Got = serde_json::from_slice(&answer.payload).map_err(errors::odd)?;
        match (got.error, got.message) {
            (Some(error), _) if error.error_code().0 == code::NO_MESSAGE => Ok(None),
            (Some(error), _) => Err(self.refused(error)),
            (None, Some(message)) => message.read().map(Some),
            (None, None) => Err(Error::other("NATS answered neither with a message nor with an error")),
        }
    }

    /// Stores a message and gives its sequence.
    ///
    /// # Errors
    /// `Conflict` where its headers expect another state of the subject.
    pub(crate) async fn publish(&self, call: &Call, lost: Lost) -> Result<u64> {
        let Some(answer) = self.link.ask(call, lost).await? else { return Err(self.nobody().await) };
        self.acknowledged(&answer.payload)
    }

    /// Reads the answer to a message that was to be stored.
    pub(crate) fn acknowledged(&self, answer: &[u8]) -> Result<u64> {
        let answer: Acknowledged = serde_json::from_slice(answer).map_err(errors::odd)?;
        match answer.error {
            Some(error) => Err(self.refused(error)),
            None => Ok(answer.seq),
        }
    }

    /// Why nobody took a message.
    pub(crate) async fn nobody(&self) -> Error {
        match self.info().await {
            Ok(Some(_)) => errors::no_leader(&self.name),
            Ok(None) => errors::no_stream(&self.name),
            Err(error) => error,
        }
    }

    /// Removes the messages of a subject, those before a sequence where one is given.
    pub(crate) async fn purge(&self, subject: &str, before: Option<u64>) -> Result<()> {
        let name = format!("STREAM.PURGE.{}", self.name);
        let arguments = match before {
            Some(sequence) => json!({ "filter": subject, "seq": sequence }),
            None => json!({ "filter": subject }),
        };
        let purged = self.link.api::<serde::de::IgnoredAny>(&name, &arguments, Lost::SendAgain).await?;
        purged.map(drop).map_err(|error| self.refused(error))
    }

    /// Removes one message.
    pub(crate) async fn remove(&self, sequence: u64) -> Result<()> {
        let name = format!("STREAM.MSG.DELETE.{}", self.name);
        let arguments = json!({ "seq": sequence, "no_erase": true });
        let removed = self.link.api::<serde::de::IgnoredAny>(&name, &arguments, Lost::SendAgain).await?;
        match removed {
            Err(error) if error.error_code().0 != code::NO_MESSAGE => Err(self.refused(error)),
            _ => Ok(()),
        }
    }

    /// Makes a consumer; `None` where there is another of its name.
    pub(crate) async fn create_consumer(&self, name: &str, config: consumer::Config) -> Result<Option<consumer::Info>> {
        self.set_consumer(name, config, "create").await
    }

    /// Changes a consumer; `None` where that cannot be changed.
    pub(crate) async fn update_consumer(&self, name: &str, config: consumer::Config) -> Result<Option<consumer::Info>> {
        self.set_consumer(name, config, "update").await
    }

    async fn set_consumer(&self, name: &str, config: consumer::Config, action: &str) -> Result<Option<consumer::Info>> {
        let arguments = json!({ "stream_name": self.name, "config": config, "action": action });
        let call = format!("CONSUMER.CREATE.{}.{name}", self.name);
        match self.link.api(&call, &arguments, Lost::SendAgain).await? {
            Ok(info) => Ok(Some(info)),
            Err(error) if error.error_code().0 == code::CONSUMER_EXISTS => Ok(None),
            Err(error) if error.error_code().0 == code::CONSUMER_CREATE && action == "update" => Ok(None),
            Err(error) => Err(self.refused(error)),
        }
    }

    /// What a consumer is; `None` where it is not there, or its stream is not.
    pub(crate) async fn consumer(&self, name: &str) -> Result<Option<consumer::Info>> {
        let call = format!("CONSUMER.INFO.{}.{name}", self.name);
        match self.link.api(&call, &json!({}), Lost::SendAgain).await? {
            Ok(info) => Ok(Some(info)),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(self.refused(error)),
        }
    }

    /// Removes a consumer, if it is there.
    pub(crate) async fn delete_consumer(&self, name: &str) -> Result<()> {
        let call = format!("CONSUMER.DELETE.{}.{name}", self.name);
        match self.link.api::<serde::de::IgnoredAny>(&call, &json!({}), Lost::SendAgain).await? {
            Ok(_) => Ok(()),
            Err(error) if is_missing(&error) => Ok(()),
            Err(error) => Err(self.refused(error)),
        }
    }
}

fn is_missing(error: &jetstream::Error) -> bool {
    matches!(error.error_code().0, code::CONSUMER_NOT_FOUND | code::STREAM_NOT_FOUND)
}

#[derive(Deserialize)]
struct Acknowledged {
    error: Option<jetstream::Error>,
    #[serde(default)]
    seq: u64,
}

#[derive(Deserialize)]
struct Got<'a> {
    error: Option<jetstream::Error>,
    #[serde(borrow)]
    message: Option<Raw<'a>>,
}

/// The bytes are base64, and may be megabytes: they are not copied on the way.
#[derive(Deserialize)]
struct Raw<'a> {
    subject: String,
    seq: u64,
    #[serde(borrow, default)]
    data: Cow<'a, str>,
    #[serde(borrow, default)]
    hdrs: Cow<'a, str>,
    #[serde(borrow)]
    time: Cow<'a, str>,
}

impl Raw<'_> {
    fn read(self) -> Result<Stored> {
        let time = async_nats::datetime::parse_rfc3339(&self.time);
        let time = time.map_err(|error| Error::other("NATS gave a time that was not understood").with_source(error))?;
        let headers = STANDARD.decode(&*self.hdrs).map_err(errors::odd)?;
        Ok(Stored {
            subject: self.subject,
            sequence: self.seq,
            time: time.into(),
            data: STANDARD.decode(&*self.data).map_err(errors::odd)?.into(),
            is_marker: is_marker_text(&String::from_utf8_lossy(&headers)),
            headers,
        })
    }
}

const OPERATION: &str = "KV-Operation";
const REASON: &str = "Nats-Marker-Reason";

fn is_marker_text(headers: &str) -> bool {
    let lines = headers.lines().filter_map(|line| line.split_once(':'));
    lines.into_iter().any(|(name, value)| is_marker_header(name, value.trim()))
}

fn is_marker_header(name: &str, value: &str) -> bool {
    name.eq_ignore_ascii_case(REASON) || (name.eq_ignore_ascii_case(OPERATION) && matches!(value, "DEL" | "PURGE"))
}

/// Whether a message with these headers says that there is nothing under its subject any more.
pub(crate) fn is_marker(headers: Option<&HeaderMap>) -> bool {
    let Some(headers) = headers else { return false };
    let value = |name: &str| headers.get(name).map_or("", |value| value.as_str());
    headers.get(REASON).is_some() || is_marker_header(OPERATION, value(OPERATION))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_other_clients_leave_of_a_deleted_entry_is_a_marker() {
        for headers in
            ["NATS/1.0\r\nKV-Operation: DEL\r\n\r\n", "NATS/1.0\r\nkv-operation:PURGE\r\nNats-Rollup: sub\r\n\r\n"]
        {
            assert!(is_marker_text(headers), "{headers:?}");
        }
        assert!(is_marker_text("NATS/1.0\r\nNats-Marker-Reason: MaxAge\r\n\r\n"));
        for headers in ["", "NATS/1.0\r\nKV-Operation: PUT\r\n\r\n", "NATS/1.0\r\nOther: KV-Operation: DEL\r\n\r\n"] {
            assert!(!is_marker_text(headers), "{headers:?}");
        }
    }
}
