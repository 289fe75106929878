//! Connects the configured providers that some route leads to.

use std::{collections::BTreeMap, sync::Arc};

use anyhow::{Context, Result, anyhow};
use slight_capabilities::{Capability, Provider, ProviderKind, Routes};
use slight_config::Config;
use slight_runtime::{Backend, Services};

use crate::settings;

/// The routed sections, connected.
pub struct Providers {
    connected: BTreeMap<String, Arc<dyn Provider>>,
}

/// The sections that the routes of a capability lead to, each once.
pub fn sections(config: &Config, capability: Capability) -> Vec<&str> {
    let routes = match capability {
        Capability::KeyValue => &config.key_value,
        Capability::Blob => &config.blob,
        Capability::Messaging => &config.messaging,
    };
    let mut sections: Vec<&str> = routes.iter().map(|(_, route)| route.provider.as_str()).collect();
    sections.sort_unstable();
    sections.dedup();
    sections
}

/// The name of a section with its type, where they differ.
pub fn describe(config: &Config, section: &str) -> String {
    match config.providers.get(section) {
        Some(declared) if declared.kind != section => format!("{section} ({})", declared.kind),
        _ => section.to_owned(),
    }
}

/// Connects one section.
///
/// # Errors
/// What the provider says, with the name of the section.
pub async fn connect(config: &Config, kinds: &[ProviderKind], section: &str) -> Result<Arc<dyn Provider>> {
    let declared = config.providers.get(section).ok_or_else(|| anyhow!("[providers.{section}] is not declared"))?;
    let kind = kinds.iter().find(|kind| kind.name == declared.kind);
    let kind = kind.ok_or_else(|| anyhow!("[providers.{section}] is of the unknown type {:?}", declared.kind))?;
    within(config, kind.connect(declared.settings.clone()))
        .await
        .with_context(|| format!("[providers.{section}] cannot be connected"))
}

/// Nothing at start may hang either.
async fn within<T>(config: &Config, call: impl Future<Output = slight_capabilities::Result<T>>) -> Result<T> {
    let limit = config.limits.backend_timeout;
    match tokio::time::timeout(limit, call).await {
        Ok(result) => Ok(result?),
        Err(_) => Err(anyhow!("no answer within {limit:?} (limits.backend-timeout)")),
    }
}

impl Providers {
    /// Connects every routed section and makes its locations ready.
    ///
    /// # Errors
    /// The first that cannot be, named by its section.
    pub async fn connect(config: &Config, kinds: &[ProviderKind]) -> Result<Self> {
        let mut connected = BTreeMap::new();
        for capability in Capability::ALL {
            for section in sections(config, capability) {
                if !connected.contains_key(section) {
                    connected.insert(section.to_owned(), connect(config, kinds, section).await?);
                }
                let provider: &Arc<dyn Provider> =
                    connected.get(section).ok_or_else(|| anyhow!("[providers.{section}] is not connected"))?;
                within(config, provider.prepare(capability))
                    .await
                    .with_context(|| format!("[providers.{section}] is not ready for {capability}"))?;
            }
        }
        Ok(Self { connected })
    }

    /// What the runtime looks names up in.
    ///
    /// # Errors
    /// When a section does not offer what it is routed for, which the configuration has excluded.
    pub fn services(&self, config: &Config) -> Result<Services> {
        Ok(Services {
            key_value: self.backends(&config.key_value, |provider| provider.key_value())?,
            blob: self.backends(&config.blob, |provider| provider.blob())?,
            messaging: self.backends(&config.messaging, |provider| provider.messaging())?,
            config: settings::guest_config(config),
        })
    }

    /// Makes the groups that the configuration declares, before anything is published.
    ///
    /// # Errors
    /// What the provider says.
    pub async fn create_groups(&self, config: &Config, services: &Services) -> Result<()> {
        for declared in &config.groups {
            let Some(route) = services.messaging.find(&declared.client) else { continue };
            let topic = route.qualify(&declared.topic);
            within(config, route.provider.provider.create_group(&topic, &declared.group)).await.with_context(|| {
                format!("cannot create the group {:?} of the topic {:?}", declared.group, declared.topic)
            })?;
        }
        Ok(())
    }

    fn backends<T: ?Sized>(
        &self,
        routes: &Routes<String>,
        capability: impl Fn(&dyn Provider) -> Option<Arc<T>>,
    ) -> Result<Routes<Backend<T>>> {
        routes.try_map(|section| {
            let provider = self.connected.get(section).and_then(|provider| capability(provider.as_ref()));
            let provider =
                provider.ok_or_else(|| anyhow!("[providers.{section}] does not offer what it is routed for"))?;
            Ok(Backend { section: section.as_str().into(), provider })
        })
    }
}

/// Asks a connected section for a sign of life.
///
/// # Errors
/// What the provider says, with the name of the section.
pub async fn ping(config: &Config, provider: &dyn Provider, section: &str) -> Result<()> {
    within(config, provider.ping()).await.with_context(|| format!("[providers.{section}] does not answer"))
}
