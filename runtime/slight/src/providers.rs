//! Connects the configured providers that some route leads to.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use anyhow::{Context, Result, anyhow};
use slight_capabilities::{BlobStore, Capability, Connect, ErrorKind, Provider, ProviderKind, Readiness, Routes};
use slight_config::Config;
use slight_runtime::{Backend, Services};

/// The routed sections, connected.
pub struct Providers {
    connected: BTreeMap<String, Arc<dyn Provider>>,
}

/// The routes of a capability.
pub fn routes(config: &Config, capability: Capability) -> &Routes<String> {
    match capability {
        Capability::KeyValue => &config.key_value,
        Capability::Blob => &config.blob,
        Capability::Messaging => &config.messaging,
    }
}

/// The sections that the routes of a capability lead to, each once.
pub fn sections(config: &Config, capability: Capability) -> Vec<&str> {
    let mut sections: Vec<&str> = routes(config, capability).iter().map(|(_, route)| route.provider.as_str()).collect();
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

/// Connects one section. Nothing is made yet.
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

/// Whether routes of a capability lead to what a section itself keeps, and not to existing locations alone.
fn uses_own_location(config: &Config, section: &str, capability: Capability) -> bool {
    let mut routes = routes(config, capability).iter();
    routes.any(|(_, route)| route.provider == section && route.existing.is_none())
}

/// Says what [`Providers::connect`] would make in a connected section for a capability, and makes nothing.
///
/// # Errors
/// Those that it would give, and that of a backend that does not answer.
pub async fn inspect(
    config: &Config,
    provider: &dyn Provider,
    section: &str,
    capability: Capability,
) -> Result<Readiness> {
    let readiness = if uses_own_location(config, section, capability) {
        within(config, provider.inspect(capability)).await.with_context(|| not_ready(section, capability))?
    } else {
        Readiness::Ready
    };
    if capability == Capability::Blob {
        open_existing(config, provider, section, Connect::Eager).await?;
    }
    Ok(readiness)
}

/// Makes a connected section ready for a capability.
async fn prepare(config: &Config, provider: &dyn Provider, section: &str, capability: Capability) -> Result<()> {
    if uses_own_location(config, section, capability) {
        within(config, provider.prepare(capability)).await.with_context(|| not_ready(section, capability))?;
    }
    if capability == Capability::Blob {
        open_existing(config, provider, section, provider.connects()).await?;
    }
    Ok(())
}

/// Opens the existing locations that routes lead to in one section, so that a missing one is told at the start and not
/// to every guest.
///
/// # Errors
/// The first that cannot be opened. With `lazy`, one whose backend does not answer by now is only logged.
async fn open_existing(config: &Config, provider: &dyn Provider, section: &str, connect: Connect) -> Result<()> {
    let Some(blob) = provider.blob() else { return Ok(()) };
    let routes = config.blob.iter().filter(|(_, route)| route.provider == section);
    for (name, location) in routes.filter_map(|(name, route)| Some((name, route.existing.as_deref()?))) {
        let told = || {
            format!("the container {name:?} of [blob] is the existing location {location:?} of [providers.{section}]")
        };
        match blob_location(config, blob.as_ref(), location).await {
            Ok(()) => {}
            Err(error) if connect == Connect::Lazy && is_outage(&error) => {
                tracing::warn!("{}, which does not answer: {error:#}", told())
            }
            Err(error) => return Err(error.context(format!("{}, which cannot be opened", told()))),
        }
    }
    Ok(())
}

async fn blob_location(config: &Config, blob: &dyn BlobStore, location: &str) -> Result<()> {
    within(config, blob.existing(location)).await.map(drop)
}

/// True of an error that says nothing about the settings: the backend may answer later.
pub fn is_outage(error: &anyhow::Error) -> bool {
    match error.downcast_ref::<slight_capabilities::Error>() {
        Some(error) => matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout),
        None => error.is::<NoAnswer>(),
    }
}

/// What the provider itself said, without where it was asked.
pub fn said(error: &anyhow::Error) -> String {
    match error.downcast_ref::<slight_capabilities::Error>() {
        Some(error) => error.to_string(),
        None => error.root_cause().to_string(),
    }
}

fn not_ready(section: &str, capability: Capability) -> String {
    format!("[providers.{section}] is not ready for {capability}")
}

/// Nothing at start may hang either.
async fn within<T>(config: &Config, call: impl Future<Output = slight_capabilities::Result<T>>) -> Result<T> {
    let limit = config.limits.backend_timeout;
    match tokio::time::timeout(limit, call).await {
        Ok(result) => Ok(result?),
        Err(_) => Err(NoAnswer(limit).into()),
    }
}

#[derive(Debug)]
struct NoAnswer(Duration);

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no answer within {:?} (limits.backend-timeout)", self.0)
    }
}

impl std::error::Error for NoAnswer {}

impl Providers {
    /// Connects every routed section, makes its locations ready, and opens those that exist.
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
                prepare(config, provider.as_ref(), section, capability).await?;
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
            config: config.component.config.clone(),
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

    /// The sections and what they are connected to.
    pub fn into_connected(self) -> BTreeMap<String, Arc<dyn Provider>> {
        self.connected
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
