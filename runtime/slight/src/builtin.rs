//! The providers that come with slight. One line each.

use slight_capabilities::ProviderKind;

/// All of them, by the name that `type` takes in the TOML.
pub fn kinds() -> Vec<ProviderKind> {
    vec![
        slight_provider_azure::kind(),
        slight_provider_file::kind(),
        slight_provider_memory::kind(),
        slight_provider_nats::kind(),
        slight_provider_redb::kind(),
        slight_provider_redis::kind(),
        slight_provider_s3::kind(),
        slight_provider_sled::kind(),
    ]
}
