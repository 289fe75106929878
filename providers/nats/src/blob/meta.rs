use std::{collections::HashMap, time::SystemTime};

use aws_lc_rs::digest::Context;
use base64::{Engine, engine::general_purpose::URL_SAFE};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The description of an object, as NATS's own clients write it (ADR-20).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Meta {
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) bucket: String,
    /// Under which subject its content is.
    #[serde(rename = "nuid", default)]
    pub(super) id: String,
    #[serde(default)]
    pub(super) size: u64,
    /// In how many messages its content is.
    #[serde(default)]
    pub(super) chunks: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) digest: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) options: Option<Options>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) metadata: Option<HashMap<String, String>>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) deleted: bool,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Options {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) max_chunk_size: Option<u64>,
    /// Where the object is instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) link: Option<Value>,
}

const SHA_256: &str = "SHA-256=";

/// In the metadata, the content that this version has replaced: for the case that removing it fails.
const REPLACED: &str = "slight-replaced";

impl Meta {
    pub(super) fn is_link(&self) -> bool {
        self.options.as_ref().is_some_and(|options| options.link.is_some())
    }

    /// The hash of the content, if it is one that is known here.
    pub(super) fn sha_256(&self) -> Option<&str> {
        self.digest.as_deref().filter(|digest| digest.starts_with(SHA_256))
    }

    pub(super) fn replaced(&self) -> Option<&str> {
        self.metadata.as_ref()?.get(REPLACED).map(String::as_str)
    }

    pub(super) fn replacing(mut self, id: Option<&str>) -> Self {
        self.metadata = id.map(|id| HashMap::from([(REPLACED.to_owned(), id.to_owned())]));
        self
    }
}

/// What a message under the subject of a description says.
pub(super) enum Described {
    Object(Meta),
    Deleted,
    /// Nothing that can be understood.
    Damaged,
}

impl Described {
    pub(super) fn by(description: &[u8]) -> Self {
        match serde_json::from_slice::<Meta>(description) {
            Ok(meta) if meta.deleted => Self::Deleted,
            Ok(meta) => Self::Object(meta),
            Err(_) => Self::Damaged,
        }
    }

    pub(super) fn object(self) -> Option<Meta> {
        match self {
            Self::Object(meta) => Some(meta),
            Self::Deleted | Self::Damaged => None,
        }
    }
}

/// How the description has the hash of a content.
pub(super) fn digest(content: Context) -> String {
    format!("{SHA_256}{}", URL_SAFE.encode(content.finish()))
}

/// What a subject of a description holds.
#[derive(Debug, Clone)]
pub(super) struct State {
    /// That of the last message, or 0.
    pub(super) sequence: u64,
    /// Whether that is no description of an object, nor says that there is none: another program wrote it.
    pub(super) is_damaged: bool,
    /// The object, if there is one.
    pub(super) object: Option<Object>,
}

#[derive(Debug, Clone)]
pub(super) struct Object {
    pub(super) meta: Meta,
    pub(super) written_at: SystemTime,
}
