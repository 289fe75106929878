use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// When a provider with a server connects first: `eager`, at the start, which fails if that does, or `lazy`, with the first
/// use.
// `Serialize` puts the default into the schema.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[expect(
    missing_docs,
    reason = "what is said of a variant makes the schema a list of alternatives instead of two words"
)]
pub enum Connect {
    #[default]
    Eager,
    Lazy,
}
