use std::{net::SocketAddr, time::Duration};

use schemars::{Schema, json_schema};
use serde::{Deserialize, Deserializer, Serializer};

use crate::{limits::TotalMemory, outbound::Origin};

/// What a string has to look like beyond being a string: the `format` of a JSON schema.
///
/// Providers may use these names in their own settings. A format that is not listed is not checked.
#[derive(Debug)]
pub(crate) struct Format {
    /// What fits, as it stands in a sentence.
    pub expected: &'static str,
    /// Why a text does not fit, or `""` when there is no more to say. Never a part of the text.
    pub check: fn(&str) -> Result<(), &'static str>,
}

const SIZE: Format = Format {
    expected: r#"a size such as "64KB", "256MiB" or a number of bytes"#,
    check: |text| parse_size(text).map(drop),
};
const TOTAL: Format = Format {
    expected: r#"a part of the memory that there is such as "75%", or a size such as "2GiB""#,
    check: |text| parse_total(text).map(drop),
};
const DURATION: Format =
    Format { expected: r#"a duration such as "500ms", "30s" or "2m""#, check: |text| parse_duration(text).map(drop) };
const DELAY: Format =
    Format { expected: r#"a duration such as "2s", "500ms" or "0s""#, check: |text| parse_delay(text).map(drop) };
const ADDRESS: Format = Format {
    expected: r#"an address and a port such as "127.0.0.1:3000", "0.0.0.0:3000" or "localhost:3000""#,
    check: |text| address::parse(text).map(drop),
};
const ORIGIN: Format = Format {
    expected: r#"an origin such as "https://api.example.com", "http://*.internal:8080", or "*""#,
    check: |text| text.parse::<Origin>().map(drop),
};

/// The format of this name.
pub(crate) fn find(name: &str) -> Option<&'static Format> {
    match name {
        "size" => Some(&SIZE),
        "total-memory" => Some(&TOTAL),
        "duration" => Some(&DURATION),
        "delay" => Some(&DELAY),
        "socket-address" => Some(&ADDRESS),
        "origin" => Some(&ORIGIN),
        _ => None,
    }
}

/// Reads an address to listen at: an address and a port, or `localhost` and a port.
///
/// # Errors
/// A sentence with an example.
pub fn listen_address(text: &str) -> Result<SocketAddr, String> {
    address::parse(text).map_err(|detail| {
        let colon = if detail.is_empty() { "" } else { ": " };
        format!("it must be {}{colon}{detail}", ADDRESS.expected)
    })
}

pub(crate) fn parse_size(text: &str) -> Result<u64, &'static str> {
    let size: bytesize::ByteSize = text.trim().parse().map_err(|_| "")?;
    if size.as_u64() == 0 { Err("it must be more than zero") } else { Ok(size.as_u64()) }
}

fn parse_total(text: &str) -> Result<TotalMemory, &'static str> {
    let Some(percent) = text.trim().strip_suffix('%') else { return parse_size(text).map(TotalMemory::Bytes) };
    match percent.trim().parse() {
        Ok(percent @ 1..=100) => Ok(TotalMemory::Percent(percent)),
        _ => Err("the part must be 1% to 100%"),
    }
}

/// A year, however it is written: "1y", "12months" and "366days" all fit. No clock overflows when it is added to now.
const LONGEST_DURATION: Duration = Duration::from_secs(366 * 24 * 60 * 60);

const TOO_LONG: &str = "it must be at most a year (366 days)";

fn parse_duration(text: &str) -> Result<Duration, &'static str> {
    match parse_delay(text)? {
        Duration::ZERO => Err("it must be more than zero"),
        duration => Ok(duration),
    }
}

fn parse_delay(text: &str) -> Result<Duration, &'static str> {
    let duration = humantime::parse_duration(text).map_err(|error| match error {
        humantime::DurationError::UnknownUnit { unit, .. } if unit.is_empty() => "it needs a unit",
        humantime::DurationError::NumberOverflow => TOO_LONG,
        _ => "",
    })?;
    if duration > LONGEST_DURATION { Err(TOO_LONG) } else { Ok(duration) }
}

/// A field that is an address to listen at.
pub(crate) mod address {
    use std::net::{Ipv4Addr, SocketAddr};

    use super::{Deserialize, Deserializer, Schema, json_schema};
    use serde::de::Error as _;

    /// `localhost` is this machine alone, as everywhere. No other name is looked up: it may mean other addresses tomorrow.
    pub fn parse(text: &str) -> Result<SocketAddr, &'static str> {
        let local = text.rsplit_once(':').filter(|(host, _)| host.eq_ignore_ascii_case("localhost"));
        match local.map(|(_, port)| port.parse()) {
            Some(port) => {
                port.map(|port| (Ipv4Addr::LOCALHOST, port).into()).map_err(|_| "the port must be 0 to 65535")
            }
            None => text.parse().map_err(|_| why_not(text)),
        }
    }

    fn why_not(text: &str) -> &'static str {
        let is_port = |text: &str| text.parse::<u16>().is_ok();
        match text.rsplit_once(':') {
            None if is_port(text) => "there is a port alone; write 127.0.0.1 before it for this machine alone",
            Some(("", port)) if is_port(port) => "there is no address; 127.0.0.1 is this machine alone, 0.0.0.0 all",
            _ => "",
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
        parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }

    pub fn serialize<S: super::Serializer>(address: &SocketAddr, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(address)
    }

    pub fn schema(_: &mut schemars::SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "socket-address" })
    }
}

/// A field that is a number of bytes, more than zero: an integer, or a string with a unit.
pub(crate) mod size {
    use super::{Deserialize, Deserializer, Schema, Serializer, json_schema, parse_size};
    use serde::de::Error as _;

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Bytes(u64),
        Text(String),
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        match Written::deserialize(deserializer)? {
            Written::Bytes(bytes) => Ok(bytes),
            Written::Text(text) => parse_size(&text).map_err(D::Error::custom),
        }
    }

    /// In the largest unit that divides it.
    pub fn serialize<S: Serializer>(bytes: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"), (1, "B")];
        let whole = units.into_iter().find(|(unit, _)| bytes.is_multiple_of(*unit));
        let (unit, name) = whole.unwrap_or((1, "B"));
        serializer.serialize_str(&format!("{}{name}", bytes / unit))
    }

    /// Editors know `pattern` and `minimum`: the text of a size that is more than zero has a digit other than zero.
    pub fn schema(_: &mut schemars::SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "integer"], "format": "size", "minimum": 1, "pattern": "[1-9]" })
    }
}

/// A field that is the memory of the process: a size, or a part of what there is.
pub(crate) mod total {
    use super::{Deserialize, Deserializer, Schema, Serializer, TotalMemory, json_schema, parse_total, size};
    use serde::de::Error as _;

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Bytes(u64),
        Text(String),
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<TotalMemory, D::Error> {
        match Written::deserialize(deserializer)? {
            Written::Bytes(bytes) => Ok(TotalMemory::Bytes(bytes)),
            Written::Text(text) => parse_total(&text).map_err(D::Error::custom),
        }
    }

    pub fn serialize<S: Serializer>(total: &TotalMemory, serializer: S) -> Result<S::Ok, S::Error> {
        match total {
            TotalMemory::Percent(percent) => serializer.collect_str(&format_args!("{percent}%")),
            TotalMemory::Bytes(bytes) => size::serialize(bytes, serializer),
        }
    }

    pub fn schema(_: &mut schemars::SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "integer"], "format": "total-memory", "minimum": 1, "pattern": "[1-9]" })
    }
}

/// A field that is a duration of more than zero and at most a year: a string with a unit.
pub(crate) mod duration {
    use super::{Deserialize, Deserializer, Duration, Schema, Serializer, json_schema, parse_duration};
    use serde::de::Error as _;

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        parse_duration(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }

    pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&humantime::format_duration(*duration))
    }

    pub fn schema(_: &mut schemars::SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "duration", "pattern": "[1-9]" })
    }
}

/// A field that is a duration of at most a year, which may be zero: a string with a unit.
pub(crate) mod delay {
    use super::{Deserialize, Deserializer, Duration, Schema, json_schema, parse_delay};
    use serde::de::Error as _;

    pub use super::duration::serialize;

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        parse_delay(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }

    pub fn schema(_: &mut schemars::SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "delay" })
    }
}
