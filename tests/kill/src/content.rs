use std::{fmt, str::FromStr};

use bytes::Bytes;

use crate::random::Random;

/// What was written, in short: the bytes follow from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) number: u64,
    pub(crate) size: usize,
}

impl Content {
    pub(crate) fn bytes(self) -> Bytes {
        let mut random = Random::new(self.number);
        let mut bytes = Vec::with_capacity(self.size + 8);
        while bytes.len() < self.size {
            bytes.extend_from_slice(&random.next().to_le_bytes());
        }
        bytes.truncate(self.size);
        bytes.into()
    }

    pub(crate) fn is(self, found: &[u8]) -> bool {
        found.len() == self.size && self.bytes() == found
    }
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}", self.number, self.size)
    }
}

impl FromStr for Content {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parse = || {
            let (number, size) = text.split_once('+')?;
            Some(Self { number: number.parse().ok()?, size: size.parse().ok()? })
        };
        parse().ok_or_else(|| format!("no content: {text:?}"))
    }
}
