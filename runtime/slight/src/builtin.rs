//! The providers that come with slight. One line each.

use slight_capabilities::ProviderKind;

/// All of them, by the name that `type` takes in the TOML.
pub fn kinds() -> Vec<ProviderKind> {
    vec![slight_provider_memory::kind()]
}
