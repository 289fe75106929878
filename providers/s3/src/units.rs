//! Settings with units, in the forms that the configuration knows as `duration` and `size`.

/// A duration of more than zero, as `"8s"`.
pub(crate) mod duration {
    use std::time::Duration;

    use schemars::{Schema, json_schema};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let text = String::deserialize(deserializer)?;
        let duration = humantime::parse_duration(&text).map_err(D::Error::custom)?;
        if duration.is_zero() { Err(D::Error::custom("it must be more than zero")) } else { Ok(duration) }
    }

    pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&humantime::format_duration(*duration))
    }

    pub fn schema(_: &mut schemars::SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "duration", "pattern": "[1-9]" })
    }
}

/// A number of bytes: an integer, or a string with a unit, as `"8MiB"`.
pub(crate) mod size {
    use bytesize::ByteSize;
    use schemars::{Schema, json_schema};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Bytes(u64),
        Text(String),
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        match Written::deserialize(deserializer)? {
            Written::Bytes(bytes) => Ok(bytes),
            Written::Text(text) => text.parse::<ByteSize>().map(|size| size.as_u64()).map_err(D::Error::custom),
        }
    }

    /// In the largest unit that divides it.
    pub fn serialize<S: Serializer>(bytes: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
        let (unit, name) = units.into_iter().find(|(unit, _)| bytes.is_multiple_of(*unit)).unwrap_or((1, "B"));
        serializer.collect_str(&format_args!("{}{name}", bytes / unit))
    }

    pub fn schema(_: &mut schemars::SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "integer"], "format": "size", "minimum": 1, "pattern": "[1-9]" })
    }
}
