//! Settings with units, in the forms that the configuration knows as `duration` and `size`: for `serde(with = …)` and
//! `schemars(schema_with = …)` on a field.

/// A duration of more than zero, as `"8s"`.
pub mod duration {
    use std::time::Duration;

    use schemars::{Schema, json_schema};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    /// Reads it.
    ///
    /// # Errors
    /// When the text is no duration, or zero.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let text = String::deserialize(deserializer)?;
        let duration = humantime::parse_duration(&text).map_err(D::Error::custom)?;
        if duration.is_zero() { Err(D::Error::custom("it must be more than zero")) } else { Ok(duration) }
    }

    /// Writes it, in the largest units.
    ///
    /// # Errors
    /// The serializer's.
    pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&humantime::format_duration(*duration))
    }

    /// What an editor is told of it.
    pub fn schema(_: &mut schemars::SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "duration", "pattern": "[1-9]" })
    }
}

/// A number of bytes: an integer, or a string with a unit, as `"8MiB"`.
pub mod size {
    use bytesize::ByteSize;
    use schemars::{Schema, json_schema};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Bytes(u64),
        Text(String),
    }

    /// Reads it.
    ///
    /// # Errors
    /// When it is neither a size nor a number.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        match Written::deserialize(deserializer)? {
            Written::Bytes(bytes) => Ok(bytes),
            Written::Text(text) => text.parse::<ByteSize>().map(|size| size.as_u64()).map_err(D::Error::custom),
        }
    }

    /// Writes it, in the largest unit that divides it.
    ///
    /// # Errors
    /// The serializer's.
    pub fn serialize<S: Serializer>(bytes: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
        let (unit, name) = units.into_iter().find(|(unit, _)| bytes.is_multiple_of(*unit)).unwrap_or((1, "B"));
        serializer.collect_str(&format_args!("{}{name}", bytes / unit))
    }

    /// What an editor is told of it.
    pub fn schema(_: &mut schemars::SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "integer"], "format": "size", "minimum": 1, "pattern": "[1-9]" })
    }
}
