//! The kinds of providers that a configuration may name.

use std::ops::Deref;

use slight_capabilities::ProviderKind;

/// The kinds of providers that a configuration may name in `type`.
#[derive(Debug, Clone)]
pub struct Kinds(Vec<ProviderKind>);

impl Kinds {
    /// The same and one more. It takes the place of one with the same name.
    #[must_use]
    pub fn with(mut self, kind: ProviderKind) -> Self {
        self.0.retain(|known| known.name != kind.name);
        self.0.push(kind);
        self.0.sort_by_key(|kind| kind.name);
        self
    }

    /// The kind of this name.
    pub fn find(&self, name: &str) -> Option<&ProviderKind> {
        self.0.iter().find(|kind| kind.name == name)
    }
}

impl Deref for Kinds {
    type Target = [ProviderKind];

    fn deref(&self) -> &[ProviderKind] {
        &self.0
    }
}

/// The providers that come with slight, as far as its features include them; `memory` is always there. One line each.
pub fn builtin() -> Kinds {
    Kinds(vec![
        #[cfg(feature = "azure")]
        slight_provider_azure::kind(),
        #[cfg(feature = "file")]
        slight_provider_file::kind(),
        slight_provider_memory::kind(),
        #[cfg(feature = "nats")]
        slight_provider_nats::kind(),
        #[cfg(feature = "redb")]
        slight_provider_redb::kind(),
        #[cfg(feature = "redis")]
        slight_provider_redis::kind(),
        #[cfg(feature = "s3")]
        slight_provider_s3::kind(),
        #[cfg(feature = "sled")]
        slight_provider_sled::kind(),
    ])
}

#[cfg(test)]
mod tests {
    use slight_capabilities::Capability;

    use super::*;

    #[test]
    fn a_kind_is_added_or_takes_the_place_of_its_name() {
        let names = |kinds: &Kinds| kinds.iter().map(|kind| kind.name).collect::<Vec<_>>();
        let before = builtin();
        let mut memory = slight_provider_memory::kind();
        memory.capabilities = &[Capability::Blob];
        let after = before.clone().with(memory);
        assert_eq!(names(&after), names(&before));
        assert!(!after.find("memory").unwrap().offers(Capability::KeyValue));
        let mut mine = slight_provider_memory::kind();
        mine.name = "mine";
        assert_eq!(before.clone().with(mine).len(), before.len() + 1);
    }
}
